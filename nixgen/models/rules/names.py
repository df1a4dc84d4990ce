"""Rules about names and addresses that must be unique."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from nixgen.errors import Problem
from nixgen.models.checks import repeated
from nixgen.models.core import at
from nixgen.models.project import Project

__all__ = ["RULES"]


def _unique_names(project: Project) -> Iterator[Problem]:
    for field in attrs.fields(Project):
        members = getattr(project, field.name)
        if field.init and isinstance(members, tuple):
            yield from _duplicates(field.name, members)
    for machine in project.machines:
        yield from _duplicates(f"machines.{machine.name}.services", machine.services)
        yield from _duplicates(f"machines.{machine.name}.users", machine.users)
    for test in project.tests:
        yield from _duplicates(f"tests.{test.name}.machines", test.machines)
    for application in project.applications:
        yield from _duplicates(f"applications.{application.name}.workloads", application.workloads)


def _duplicates(path: str, items: tuple[Any, ...]) -> Iterator[Problem]:
    for index, first, name in repeated(item.name for item in items):
        yield Problem(
            f"{path}[{index}]",
            f"the name {name!r} is taken by the one at {at(items[first])}",
            where=at(items[index]),
            hint="give each its own name",
        )


def _builder_addresses(project: Project) -> Iterator[Problem]:
    """Yield a problem for each address that two builders share. Nix tells its builders apart by the
    address alone.
    """
    for index, first, _ in repeated(builder.address for builder in project.builders):
        builder, other = project.builders[index], project.builders[first]
        yield Problem(
            f"builders.{builder.name}",
            f"has the address of the builder {other.name!r} at {at(other)}",
            where=at(builder),
            hint="describe each computer once, with all its systems and features",
        )


RULES = (_unique_names, _builder_addresses)
