"""Find out what a build would build."""

from __future__ import annotations

from collections.abc import Iterable

from nixgen.driver.commands import nix
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.messages.refusals import planned_builds
from nixgen.programs.runner import Runner

__all__ = ["plan_builds"]


def plan_builds(drvs: Iterable[str], *, runner: Runner, options: NixOptions) -> tuple[str, ...]:
    """The derivations that Nix would build, and the dependencies among them.

    There are none if Nix fails: the build, which fails in the same way, tells the reason.

    :param drvs: store paths of derivations.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    """
    done = runner.run(nix.plan(options, drvs))
    planned: list[str] = []
    inside = False
    for line in done.stderr.decode(errors="replace").splitlines():
        if not line.startswith("  "):
            inside = planned_builds(line) > 0
        elif inside:
            planned.append(line.strip())
    return tuple(planned)
