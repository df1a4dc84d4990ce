"""Rules about clusters, tests and environments: the machines and variables that they name."""

from __future__ import annotations

from collections.abc import Iterator

from nixgen.errors import Problem
from nixgen.models.checks import repeated
from nixgen.models.core import Model, at
from nixgen.models.machine import Machine
from nixgen.models.project import Project
from nixgen.models.rules.kubernetes import placed_services

__all__ = ["RULES"]


def _known_machines(project: Project) -> Iterator[Problem]:
    """Yield a problem for each machine that a cluster, a test or an overlay names, and that is not
    one of the project's machines.
    """
    uses: list[tuple[str, Machine, Model]] = []
    for cluster in project.clusters:
        for place, machine in cluster.places().items():
            uses.append((f"clusters.{cluster.name}.{place}", machine, cluster))
    for test in project.tests:
        for index, machine in enumerate(test.machines):
            uses.append((f"tests.{test.name}.machines[{index}]", machine, test))
    for environment in project.environments:
        for index, overlay in enumerate(environment.overlays):
            path = f"environments.{environment.name}.overlays[{index}]"
            uses.append((path, overlay.machine, overlay))
    known = set(project.machines)
    for path, machine, user in uses:
        if machine not in known:
            yield Problem(
                path,
                f"the machine {machine.name!r} is not one of the project's machines",
                where=at(user),
                hint="add it to Project(machines=[…])",
            )


def _environments_change_something(project: Project) -> Iterator[Problem]:
    declared = {name for service in placed_services(project) for name in service.environment}
    for environment in project.environments:
        for name in environment.variables:
            if name not in declared:
                yield Problem(
                    f"environments.{environment.name}.variables[{name!r}]",
                    "no service on a machine or in an application declares this variable",
                    where=at(environment),
                    hint="give it a default in a Service(environment={…})",
                )


def _one_overlay_a_machine(project: Project) -> Iterator[Problem]:
    for environment in project.environments:
        overlays = environment.overlays
        for index, first, machine in repeated(overlay.machine for overlay in overlays):
            yield Problem(
                f"environments.{environment.name}.overlays[{index}]",
                f"is a second one for {machine.name!r}, beside the one at {at(overlays[first])}",
                where=at(overlays[index]),
                hint="put both into one Overlay",
            )


RULES = (_known_machines, _environments_change_something, _one_overlay_a_machine)
