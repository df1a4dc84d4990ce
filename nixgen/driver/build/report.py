"""The outcome of a build, target by target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from attrs import frozen

from nixgen.driver.build.failures import Failure
from nixgen.driver.evaluate import Target
from nixgen.errors import BuilderError, BuildError, MirrorError, NixgenError, StoreError, counted

__all__ = ["BuildReport", "Status", "TargetResult"]

Status: TypeAlias = Literal["built", "cached", "failed", "would build"]
"""The state of a target. ``built``: it was built or fetched now. ``cached``: it existed before. A dry
run says ``cached`` or ``would build``.
"""


@frozen(kw_only=True)
class TargetResult:
    """The outcome of one target.

    :param target: the target.
    :param status: its state.
    :param seconds: the duration of the target's own derivation; 0 if this run did not build it.
    :param failures: the failed derivations that it needs, perhaps its own.
    :param machine: the remote builder of its own derivation; None for this computer.
    """

    target: Target
    status: Status
    seconds: float = 0.0
    failures: tuple[str, ...] = ()
    machine: str | None = None

    @property
    def attr(self) -> str:
        """The attribute path of the target."""
        return self.target.attr


@frozen(kw_only=True)
class BuildReport:
    """The outcome of `nixgen.driver.build.build.realise`.

    :param results: one for each target, in the order of the request.
    :param failures: the derivations that failed, in the order of their failures.
    :param seconds: the duration of the whole build.
    """

    results: tuple[TargetResult, ...]
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether no target failed."""
        return all(result.status != "failed" for result in self.results)

    def error(self, origins: Mapping[str, str | None] = MappingProxyType({})) -> NixgenError | None:
        """The error of the build; None if nothing failed.

        A full disk comes first, a mirror second and a remote builder third, because these make
        other derivations fail, too.

        :param origins: target → the user's ``file:line``.
        """
        if self.ok:
            return None
        for kind in (StoreError, MirrorError, BuilderError):
            for failure in self.failures:
                if isinstance(failure.error, kind):
                    return failure.error
        failed = [result.attr for result in self.results if result.status == "failed"]
        details: list[str] = []
        for failure in self.failures:
            details.append(f"{failure.name}: {failure.reason} ({failure.drv})")
            for attr in failure.targets:
                origin = origins.get(attr)
                details.append(f"  needed by {attr}" + (f", {origin}" if origin else ""))
            details += (f"  │ {line}" for line in failure.log)
        first = self.failures[0]
        return BuildError(
            f"{len(failed)} of {counted(len(self.results), 'target')} failed: {', '.join(failed)}",
            where=next((origins[a] for a in first.targets if origins.get(a)), None),
            hint=f"the whole log: nix-store --read-log {first.drv}",
            details=details,
        )
