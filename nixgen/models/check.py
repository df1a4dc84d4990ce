"""Every problem of a project, at once.

Two kinds: what each value says of itself (its fields' checks, `Model.faults`), found by walking the models once; and
rules that span models, below. Rules run only over values that are sound in themselves, so one mistake is one problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import attrs

from nixgen._collector import paused_collector
from nixgen.errors import ModelError, Problem
from nixgen.models import kubernetes_rules
from nixgen.models.builders import Builder
from nixgen.models.cluster_rules import conflicts
from nixgen.models.core import MISUSES, Fault, Model, field_checks
from nixgen.models.core import at as _at
from nixgen.models.files import Package, Secret, Source
from nixgen.models.image import Image
from nixgen.models.kubernetes import Application, Workload
from nixgen.models.kubernetes_rules import workloads_of
from nixgen.models.machine import Machine
from nixgen.models.platform import Cache, Environment, Overlay, Project, Test
from nixgen.models.service import Service, User
from nixgen.models.text import Text

__all__ = [
    "Visit",
    "check",
    "forget_misuses",
    "misuses_beside",
    "packages_of",
    "renamed_packages",
    "require_valid",
    "sources_of",
    "walk",
]


class Visit:
    """Each model of a project once, with the way to it. Paths are built when they are asked for: few ever are."""

    __slots__ = ("_labels", "_parents", "values")

    def __init__(self, root: Model) -> None:
        self.values: list[Model] = []
        self._parents: list[int] = []
        self._labels: list[str] = []
        seen: set[int] = set()
        stack: list[tuple[Model, int, str]] = [(root, -1, "")]
        while stack:
            value, parent, label = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            here = len(self.values)
            self.values.append(value)
            self._parents.append(parent)
            self._labels.append(label)
            found: list[tuple[Model, int, str]] = []
            labels, contents = _model_fields(value.__class__)
            for label, content in zip(labels, contents(value), strict=True):
                if content.__class__ in _HOLDS_NO_MODEL or not content:
                    continue
                if isinstance(content, Model):
                    found.append((content, here, label))
                else:
                    _members(content, here, label, found)
            # pushed in reverse: popped, and so reported, in the order of the fields
            stack.extend(reversed(found))

    def path(self, index: int) -> str:
        """``machines.web.services.api.ports[0]``: members of a collection that have a name are addressed by it."""
        labels = []
        while index >= 0:
            labels.append(self._labels[index])
            index = self._parents[index]
        return "".join(reversed(labels)).removeprefix(".")


_HOLDS_NO_MODEL = frozenset({str, int, bool, type(None), float})


def _members(content: Any, parent: int, label: str, found: list[tuple[Model, int, str]]) -> None:
    if isinstance(content, tuple):
        if _HOLDS_NO_MODEL.issuperset(map(type, content)):
            return
        named = _by_name(content)
        for index, item in enumerate(content):
            if isinstance(item, Model):
                place = f".{getattr(item, 'name', '')}" if named else f"[{index}]"
                found.append((item, parent, label + place))
            elif isinstance(item, (tuple, dict)):
                _members(item, parent, f"{label}[{index}]", found)
    elif isinstance(content, dict):
        for key, item in content.items():
            if isinstance(item, Model):
                found.append((item, parent, f"{label}[{key!r}]"))
            elif isinstance(item, (tuple, dict)):
                _members(item, parent, f"{label}[{key!r}]", found)


@lru_cache(maxsize=2)
def visit_of(root: Model) -> Visit:
    """The visit of a project. Models never change, so checks and lowering share one."""
    return Visit(root)


def walk(root: Model) -> Iterator[tuple[str, Model]]:
    """Each model below ``root`` once, with the path by which it is first reached."""
    visit = visit_of(root)
    for index, value in enumerate(visit.values):
        yield visit.path(index), value


def _by_name(items: tuple[Any, ...]) -> bool:
    """Whether the names of a collection's members tell them apart.

    A port's name is a label: its place is what people look for, as with the words of a command.
    """
    if not all(isinstance(item, _ADDRESSED_BY_NAME) for item in items):
        return False
    names = {item.name for item in items if isinstance(item.name, str) and item.name}
    return len(names) == len(items)


_ADDRESSED_BY_NAME = (
    Machine,
    Service,
    Image,
    Test,
    Package,
    User,
    Secret,
    Environment,
    Cache,
    Builder,
    Application,
    Workload,
)

_MODEL_FIELDS: dict[type, tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]] = {}


def _model_fields(cls: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The labels of a class's fields, and a function for the contents of all of them at once."""
    found = _MODEL_FIELDS.get(cls)
    if found is None:
        names = tuple(field.name for field in attrs.fields(cls) if field.name != "origin")
        found = tuple(f".{name}" for name in names), _contents_of(names)
        _MODEL_FIELDS[cls] = found
    return found


def _contents_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A function for the contents of these fields; one call of it is faster than one a field."""
    if not names:
        return lambda _value: ()
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return attrgetter(*names)


def check(project: Project) -> tuple[Problem, ...]:
    """Every problem of the project, in model order; empty when it is sound."""
    with paused_collector():
        return tuple(_problems(project))


def _problems(project: Project) -> list[Problem]:
    visit = visit_of(project)
    problems: list[Problem] = []
    for index, value in enumerate(visit.values):
        if found := _own_faults(value):
            problems.extend(
                _problem(visit.path(index), value, fault, content) for fault, content in found
            )
    if not problems:
        for rule in _RULES:
            problems.extend(rule(project))
        problems.extend(_packages_agree(visit))
    return problems


def misuses_beside(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Wrong arguments of models that no project leads to, or whose problem is not among these.

    A misspelt field is a mistake also in a value that nothing refers to (yet), as it was when it
    was a TypeError.
    """
    reported = {(problem.where, problem.message) for problem in problems}
    for misuse in MISUSES.values():
        for fault in misuse.faults:
            problem = _problem(type(misuse.model).__name__, misuse.model, fault, None)
            if (problem.where, problem.message) not in reported:
                yield problem


def forget_misuses() -> None:
    """Begin anew, before another infra.py is run."""
    MISUSES.clear()


def require_valid(project: Project) -> Project:
    """The project itself, or `ModelError` with all its problems."""
    problems = check(project)
    if problems:
        raise ModelError(problems)
    return project


def _own_faults(value: Model) -> list[tuple[Fault, Any]]:
    """What a value says of itself: each fault with the content of the field that has it."""
    found: list[tuple[Fault, Any]] = []
    missing: frozenset[str] = frozenset()
    if MISUSES and id(value) in MISUSES:
        misuse = MISUSES[id(value)]
        missing = misuse.missing
        found.extend((fault, None) for fault in misuse.faults)
    for name, default, checks in field_checks(value.__class__):
        content = getattr(value, name)
        if content is default or name in missing:
            continue
        for run in checks:
            for suffix, message, hint in run(content):
                found.append(((f".{name}{suffix}", message, hint), content))
    # rules between fields need fields that are sound
    return found or [(fault, None) for fault in value.faults()]


def _problem(path: str, value: Model, fault: Fault, content: Any) -> Problem:
    suffix, message, hint = fault
    # text() remembers its own line; a value made elsewhere is blamed where it was made
    blamed = content if isinstance(content, Text) and content.origin else value
    where = str(blamed.origin) if blamed.origin else None
    return Problem((path + suffix).lstrip(".") or "project", message, where=where, hint=hint)


def _unique_names(project: Project) -> Iterator[Problem]:
    for kind in _NAMED:
        yield from _duplicates(kind, getattr(project, kind))
    for machine in project.machines:
        yield from _duplicates(f"machines.{machine.name}.services", machine.services)
        yield from _duplicates(f"machines.{machine.name}.users", machine.users)
    for test in project.tests:
        yield from _duplicates(f"tests.{test.name}.machines", test.machines)
    for application in project.applications:
        yield from _duplicates(f"applications.{application.name}.workloads", application.workloads)


_NAMED = (
    "machines",
    "images",
    "applications",
    "tests",
    "packages",
    "tools",
    "environments",
    "caches",
    "builders",
)


def _duplicates(path: str, items: tuple[Any, ...]) -> Iterator[Problem]:
    first: dict[str, Any] = {}
    for index, item in enumerate(items):
        other = first.setdefault(item.name, item)
        if other is not item or index != items.index(item):
            yield Problem(
                f"{path}[{index}]",
                f"the name {item.name!r} is taken by the one at {_at(other)}",
                where=_at(item),
                hint="give each its own name",
            )


def _builder_addresses(project: Project) -> Iterator[Problem]:
    """Nix tells which builder it uses by the address alone."""
    first: dict[str, Builder] = {}
    for builder in project.builders:
        other = first.setdefault(builder.address, builder)
        if other is not builder:
            yield Problem(
                f"builders.{builder.name}",
                f"has the address of the builder {other.name!r} at {_at(other)}",
                where=_at(builder),
                hint="describe each computer once, with all its systems and features",
            )


def _port_collisions(project: Project) -> Iterator[Problem]:
    for machine in project.machines:
        owners: dict[tuple[int, str], Service] = {}
        for service in machine.services:
            for index, port in enumerate(service.ports):
                owner = owners.setdefault((port.number, port.protocol), service)
                if owner is not service:
                    yield Problem(
                        f"machines.{machine.name}.services.{service.name}.ports[{index}]",
                        f"{port.number}/{port.protocol} is already used by the service {owner.name!r} on this machine",
                        where=_at(port),
                        hint="choose another port, or put one of the services on another machine",
                    )


def _user_collisions(project: Project) -> Iterator[Problem]:
    for machine in project.machines:
        by_name: dict[str, User] = {}
        by_uid: dict[int, User] = {}
        for path, user in _users(machine):
            other = by_name.setdefault(user.name, user)
            if other is not user:
                if (other.uid, other.gid, other.home) != (user.uid, user.gid, user.home):
                    yield Problem(
                        path,
                        f"the user {user.name!r} is described differently at {_at(other)}",
                        where=_at(user),
                        hint="use one User object for both",
                    )
            elif user.uid is not None and by_uid.setdefault(user.uid, user) is not user:
                yield Problem(
                    f"{path}.uid",
                    f"the uid {user.uid} is taken by the user {by_uid[user.uid].name!r}",
                    where=_at(user),
                )


def _users(machine: Machine) -> Iterator[tuple[str, User]]:
    for user in machine.users:
        yield f"machines.{machine.name}.users.{user.name}", user
    for service in machine.services:
        if service.user is not None:
            yield f"machines.{machine.name}.services.{service.name}.user", service.user


def _dependency_cycles(project: Project) -> Iterator[Problem]:
    done: set[int] = set()
    reported: set[frozenset[int]] = set()
    for path, start in _services(project):
        if id(start) in done:
            continue
        trail: list[Service] = []
        on_trail: dict[int, int] = {}
        stack: list[tuple[Service, int]] = [(start, 0)]
        while stack:
            service, at = stack.pop()
            if at == 0:
                on_trail[id(service)] = len(trail)
                trail.append(service)
            if at < len(service.depends_on):
                stack.append((service, at + 1))
                needed = service.depends_on[at]
                if id(needed) in on_trail:
                    cycle = trail[on_trail[id(needed)] :]
                    key = frozenset(map(id, cycle))
                    if key not in reported:
                        reported.add(key)
                        names = " → ".join(item.name for item in (*cycle, cycle[0]))
                        yield Problem(
                            f"{path}.depends_on",
                            f"depends on itself: {names}",
                            where=_at(start),
                            hint="remove one of these dependencies",
                        )
                elif id(needed) not in done:
                    stack.append((needed, 0))
            else:
                trail.pop()
                del on_trail[id(service)]
                done.add(id(service))


def _services(project: Project) -> Iterator[tuple[str, Service]]:
    for machine in project.machines:
        for service in machine.services:
            yield f"machines.{machine.name}.services.{service.name}", service
    for image in project.images:
        if image.service is not None:
            yield f"images.{image.name}.service", image.service
    for path, _, workload in workloads_of(project):
        yield f"{path}.service", workload.service


def _dependencies_exist(project: Project) -> Iterator[Problem]:
    """A service that runs on a machine needs its dependencies on some machine, too."""
    placed = {id(service) for machine in project.machines for service in machine.services}
    for machine in project.machines:
        for service in machine.services:
            for index, needed in enumerate(service.depends_on):
                if id(needed) not in placed:
                    yield Problem(
                        f"machines.{machine.name}.services.{service.name}.depends_on[{index}]",
                        f"the service {needed.name!r} runs on no machine of this project",
                        where=_at(service),
                        hint=f"add {needed.name!r} to the services of a machine",
                    )


def _tests_use_known_machines(project: Project) -> Iterator[Problem]:
    known = set(map(id, project.machines))
    for test in project.tests:
        for index, machine in enumerate(test.machines):
            if id(machine) not in known:
                yield Problem(
                    f"tests.{test.name}.machines[{index}]",
                    f"the machine {machine.name!r} is not one of the project's machines",
                    where=_at(test),
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
                    where=_at(environment),
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
                    where=_at(overlay),
                    hint="add it to Project(machines=[…])",
                )
            other = first.setdefault(id(overlay.machine), overlay)
            if other is not overlay:
                yield Problem(
                    path,
                    f"is a second one for {overlay.machine.name!r}, beside the one at {_at(other)}",
                    where=_at(overlay),
                    hint="put both into one Overlay",
                )


def _clusters_agree(project: Project) -> Iterator[Problem]:
    for found in conflicts(project.machines):
        yield Problem(
            f"machines.{found.machine.name}.{found.field}",
            found.message,
            where=_at(found.machine),
            hint=found.hint,
        )


def _packages_agree(visit: Visit) -> Iterator[Problem]:
    """One attribute name cannot mean two things in one tree."""
    meanings: dict[str, Package] = {}
    for index, package in _packages(visit):
        known = meanings.setdefault(package.name, package)
        if (known.debian, known.nixpkgs) != (package.debian, package.nixpkgs):
            yield Problem(
                visit.path(index),
                f"the package {package.name!r} is described differently at {_at(known)}",
                where=_at(package),
                hint="use one Package object for both",
            )


def packages_of(project: Project) -> Iterator[tuple[str, Package]]:
    """Every `Package` that the project mentions anywhere, with its model path."""
    visit = visit_of(project)
    for index, package in _packages(visit):
        yield visit.path(index), package


def renamed_packages(project: Project) -> Mapping[str, str]:
    """Attribute paths on nixpkgs of the packages that have another name there."""
    return {
        package.name: package.nixpkgs
        for _, package in _packages(visit_of(project))
        if package.nixpkgs is not None
    }


def sources_of(root: Model) -> Iterator[tuple[str, Source]]:
    """Every `Source` that a model mentions anywhere, once, with its model path; a text stands for what is in it."""
    seen: set[int] = set()
    visit = visit_of(root)
    for index, value in enumerate(visit.values):
        for part in value.parts if isinstance(value, Text) else (value,):
            if isinstance(part, Source) and id(part) not in seen:
                seen.add(id(part))
                yield visit.path(index), part


def _packages(visit: Visit) -> Iterator[tuple[int, Package]]:
    for index, value in enumerate(visit.values):
        if isinstance(value, Package):
            yield index, value
        elif isinstance(value, Text):
            for part in value.parts:
                if isinstance(part, Package):
                    yield index, part


_RULES = (
    _unique_names,
    _builder_addresses,
    _port_collisions,
    _user_collisions,
    _dependency_cycles,
    _dependencies_exist,
    _tests_use_known_machines,
    _environments_change_something,
    _overlays_have_machines,
    _clusters_agree,
    *kubernetes_rules.RULES,
)
