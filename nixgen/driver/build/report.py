"""How a build went, target by target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from attrs import frozen

from nixgen.driver.build.failures import Failure
from nixgen.driver.evaluate import Target
from nixgen.errors import BuilderError, BuildError, MirrorError, NixgenError, StoreError

__all__ = ["BuildReport", "Status", "TargetResult"]

Status: TypeAlias = Literal["built", "cached", "failed", "would build"]
"""Of a target: built or fetched now, there before, or neither; of a dry run, ``cached`` or ``would build``."""


@frozen(kw_only=True)
class TargetResult:
    """One target's outcome.

    :param seconds: wall time of the target's own derivation; 0 when it was not built here.
    :param failures: the failed derivations that it depends on (or is).
    :param machine: the remote builder that its own derivation was given to; None for this computer.
    """

    target: Target
    status: Status
    seconds: float = 0.0
    failures: tuple[str, ...] = ()
    machine: str | None = None

    @property
    def attr(self) -> str:
        return self.target.attr


@frozen(kw_only=True)
class BuildReport:
    """Outcome of one `nixgen.driver.build.build.realise`.

    :param results: one for each target asked for, in that order.
    :param failures: the derivations that failed, in the order they did.
    :param seconds: wall time of everything.
    """

    results: tuple[TargetResult, ...]
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return all(result.status != "failed" for result in self.results)

    @property
    def unfetched(self) -> tuple[Failure, ...]:
        """Files that the mirror did not give: worth another try with the next mirror, by
        evaluating again with another value of ``mirrors``.
        """
        return tuple(f for f in self.failures if isinstance(f.error, MirrorError))

    def error(self, origins: Mapping[str, str | None] = MappingProxyType({})) -> NixgenError | None:
        """What to tell the user; None when nothing failed.

        A full disk is told first, a mirror second and a remote builder third, for they make other derivations fail too.

        :param origins: the user's ``file:line`` of each target.
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
            f"{len(failed)} of {len(self.results)} targets failed: {', '.join(failed)}",
            where=next((origins[a] for a in first.targets if origins.get(a)), None),
            hint=f"the whole log: nix-store --read-log {first.drv}",
            details=details,
        )
