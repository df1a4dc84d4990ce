"""Rules about tests and environments: the machines and variables that they name."""

from __future__ import annotations

from collections.abc import Iterator

from nixgen.errors import Problem
from nixgen.models.core import at
from nixgen.models.environment import Overlay
from nixgen.models.project import Project
from nixgen.models.rules.kubernetes import workloads_of

__all__ = ["RULES"]


def _tests_use_known_machines(project: Project) -> Iterator[Problem]:
    known = set(map(id, project.machines))
    for test in project.tests:
        for index, machine in enumerate(test.machines):
            if id(machine) not in known:
                yield Problem(
                    f"tests.{test.name}.machines[{index}]",
                    f"the machine {machine.name!r} is not one of the project's machines",
                    where=at(test),
                    hint="add it to Project(machines=[…])",
                )


def _environments_change_something(project: Project) -> Iterator[Problem]:
    placed = (
        *(service for machine in project.machines for service in machine.services),
        *(workload.service for _, _, workload in workloads_of(project)),
    )
    declared = {name for service in placed for name in service.environment}
    for environment in project.environments:
        for name in environment.variables:
            if name not in declared:
                yield Problem(
                    f"environments.{environment.name}.variables[{name!r}]",
                    "no service on a machine or in an application declares this variable",
                    where=at(environment),
                    hint="give it a default in a Service(environment={…})",
                )


def _overlays_have_machines(project: Project) -> Iterator[Problem]:
    known = set(map(id, project.machines))
    for environment in project.environments:
        first: dict[int, Overlay] = {}
        for index, overlay in enumerate(environment.overlays):
            path = f"environments.{environment.name}.overlays[{index}]"
            if id(overlay.machine) not in known:
                yield Problem(
                    path,
                    f"the machine {overlay.machine.name!r} is not one of the project's machines",
                    where=at(overlay),
                    hint="add it to Project(machines=[…])",
                )
            other = first.setdefault(id(overlay.machine), overlay)
            if other is not overlay:
                yield Problem(
                    path,
                    f"is a second one for {overlay.machine.name!r}, beside the one at {at(other)}",
                    where=at(overlay),
                    hint="put both into one Overlay",
                )


RULES = (
    _tests_use_known_machines,
    _environments_change_something,
    _overlays_have_machines,
)
