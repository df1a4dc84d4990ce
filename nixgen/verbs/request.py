"""The options that evaluating and building share, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import field, frozen

from nixgen.errors import UsageError, closest
from nixgen.project.overrides import OPTION

if TYPE_CHECKING:
    from nixgen.driver.evaluate import Limits
    from nixgen.project.workspace import Workspace

__all__ = ["BASES", "DEFAULT", "Request", "require_environment"]

BASES = ("debian", "nixpkgs")


def _frozen(overrides: Mapping[str, Path]) -> Mapping[str, Path]:
    return MappingProxyType(dict(overrides))


@frozen(kw_only=True)
class Request:
    """The options of evaluating and building. The command line makes one; each verb passes it on.

    :param base: the package base, one of `BASES`.
    :param environment: an environment of the project. None: the project as it stands.
    :param system: the system of every target but machines, which name their own. None: Nix's own.
    :param overrides: input → folder that is used in place of its pin; see
        `nixgen.project.overrides`.
    :param limits: how much of this computer evaluating may use. None: `Limits.of_host`.
    :param jobs: builds at a time on this computer. With 0, builders do all of them. None: one for
        each processor.
    :param builders: the remote builders to use: names of the project's builders with commas
        between, ``all``, ``none``, or the path of a machines file, with a slash in it. None: those
        of Nix's own configuration.
    :param keep_going: finish the other targets when one fails. In either case nothing is built
        before everything is evaluated.
    :param debug: put Nix's whole trace into an error's details.
    """

    base: str = "debian"
    environment: str | None = None
    system: str | None = None
    overrides: Mapping[str, Path] = field(factory=dict, converter=_frozen, hash=False)
    limits: Limits | None = None
    jobs: int | None = None
    builders: str | None = None
    keep_going: bool = True
    debug: bool = False

    def require_known(self, workspace: Workspace) -> None:
        """Check the names in the request, before anything is written.

        :param workspace: the project.
        :raises UsageError: there is no such base or environment, or the base does not use the
            overrides.
        """
        if self.base not in BASES:
            raise UsageError(
                f"there is no base {self.base!r}", hint=f"the bases are {' and '.join(BASES)}"
            )
        if self.overrides and self.base == "debian":
            raise UsageError(
                f"the base debian reads no trees, so {OPTION} {next(iter(self.overrides))}=… would do nothing",
                hint="add --base nixpkgs",
            )
        require_environment(workspace, self.environment)


def require_environment(workspace: Workspace, name: str | None, *, note: str = "") -> None:
    """Check the name of an environment.

    :param workspace: the project.
    :param name: the name; None for the project as it stands.
    :param note: added to the hint that lists the environments.
    :raises UsageError: the project has no such environment.
    """
    names = [item.name for item in workspace.project.environments]
    if name is not None and name not in names:
        raise UsageError(
            f"the project has no environment {name!r}",
            hint=closest(name, names)
            or (
                f"it has {', '.join(names)}{note}"
                if names
                else "add Environment(…) to Project(environments=[…])"
            ),
        )


DEFAULT = Request()
"""The Debian base, the project as it stands, this computer."""
