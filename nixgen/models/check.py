"""Every problem of a project, at once.

Two kinds: what each value says of itself (its fields' checks, `Model.faults`), found by walking the models once; and
rules that span models, below. Rules run only over values that are sound in themselves, so one mistake is one problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import attrs

from nixgen.errors import ModelError, Problem
from nixgen.models._core import Fault, Model, field_checks
from nixgen.models._text import Text
from nixgen.models.files import Package
from nixgen.models.platform import Project
from nixgen.models.service import Port, Service, User

__all__ = ["check", "packages_of", "require_valid", "walk"]


def walk(root: Model, path: str = "") -> Iterator[tuple[str, Model]]:
    """Each model below ``root`` once, with the path by which it is first reached.

    Members of a collection that have a name are addressed by it: ``machines.web.services.api.ports[0]``.
    """
    seen: set[int] = set()
    stack: list[tuple[str, Model]] = [(path, root)]
    while stack:
        here, value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield here, value
        # pushed in reverse: popped, and so reported, in the order of the fields
        stack.extend(reversed(list(_children(here, value))))


def _children(path: str, value: Model) -> Iterator[tuple[str, Model]]:
    prefix = f"{path}." if path else ""
    for field in _model_fields(type(value)):
        yield from _models_in(f"{prefix}{field}", getattr(value, field))


def _models_in(path: str, value: Any) -> Iterator[tuple[str, Model]]:
    if isinstance(value, Model):
        yield path, value
    elif isinstance(value, tuple):
        named = _by_name(value)
        for index, item in enumerate(value):
            yield from _models_in(f"{path}.{item.name}" if named else f"{path}[{index}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _models_in(f"{path}[{key!r}]", item)


def _by_name(items: tuple[Any, ...]) -> bool:
    names = [getattr(item, "name", None) for item in items]
    return (
        bool(items)
        and not isinstance(
            items[0], Port
        )  # a port's name is a label; its place is what people look for
        and all(isinstance(name, str) and name for name in names)
        and len(set(names)) == len(names)
    )


_MODEL_FIELDS: dict[type, tuple[str, ...]] = {}


def _model_fields(cls: type) -> tuple[str, ...]:
    found = _MODEL_FIELDS.get(cls)
    if found is None:
        found = tuple(field.name for field in attrs.fields(cls) if field.name != "origin")
        _MODEL_FIELDS[cls] = found
    return found


def check(project: Project) -> tuple[Problem, ...]:
    """Every problem of the project, in model order; empty when it is sound."""
    problems: list[Problem] = []
    for path, value in walk(project):
        problems.extend(_own_problems(path, value))
    if not problems:
        for rule in _RULES:
            problems.extend(rule(project))
    return tuple(problems)


def require_valid(project: Project) -> Project:
    """The project itself, or `ModelError` with all its problems."""
    problems = check(project)
    if problems:
        raise ModelError(problems)
    return project


def _own_problems(path: str, value: Model) -> Iterator[Problem]:
    faulty: set[str] = set()
    for name, checks in field_checks(type(value)):
        content = getattr(value, name)
        for run in checks:
            for suffix, message, hint in run(content):
                faulty.add(name)
                yield _problem(path, value, (f".{name}{suffix}", message, hint), content)
    if not faulty:
        for fault in value.faults():
            yield _problem(path, value, fault)


def _problem(path: str, value: Model, fault: Fault, content: Any = None) -> Problem:
    suffix, message, hint = fault
    # text() remembers its own line; a value made elsewhere is blamed where it was made
    blamed = content if isinstance(content, Text) and content.origin else value
    where = str(blamed.origin) if blamed.origin else None
    return Problem((path + suffix).lstrip(".") or "project", message, where=where, hint=hint)


def _at(value: Model) -> str | None:
    return str(value.origin) if value.origin else None


def _unique_names(project: Project) -> Iterator[Problem]:
    for kind in ("machines", "images", "tests", "packages", "environments"):
        yield from _duplicates(kind, getattr(project, kind))
    for machine in project.machines:
        yield from _duplicates(f"machines.{machine.name}.services", machine.services)
        yield from _duplicates(f"machines.{machine.name}.users", machine.users)
    for test in project.tests:
        yield from _duplicates(f"tests.{test.name}.machines", test.machines)


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
        for path, user in _users(project, machine.name):
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


def _users(project: Project, machine_name: str) -> Iterator[tuple[str, User]]:
    for machine in project.machines:
        if machine.name == machine_name:
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
    declared = {
        name
        for machine in project.machines
        for service in machine.services
        for name in service.environment
    }
    for environment in project.environments:
        for name in environment.variables:
            if name not in declared:
                yield Problem(
                    f"environments.{environment.name}.variables[{name!r}]",
                    "no service on a machine declares this variable",
                    where=_at(environment),
                    hint="give it a default in a Service(environment={…})",
                )


def _packages_agree(project: Project) -> Iterator[Problem]:
    """One attribute name cannot mean two things in one tree."""
    meanings: dict[str, list[Package]] = defaultdict(list)
    for path, package in packages_of(project):
        known = meanings[package.name]
        known.append(package)
        if (known[0].debian, known[0].nixpkgs) != (package.debian, package.nixpkgs):
            yield Problem(
                path,
                f"the package {package.name!r} is described differently at {_at(known[0])}",
                where=_at(package),
                hint="use one Package object for both",
            )


def packages_of(project: Project) -> Iterator[tuple[str, Package]]:
    """Every `Package` that the project mentions anywhere, with its model path."""
    for path, value in walk(project):
        if isinstance(value, Package):
            yield path, value
        elif isinstance(value, Text):
            for part in value.parts:
                if isinstance(part, Package):
                    yield path, part


_RULES = (
    _unique_names,
    _port_collisions,
    _user_collisions,
    _dependency_cycles,
    _dependencies_exist,
    _tests_use_known_machines,
    _environments_change_something,
    _packages_agree,
)
