"""Rules between the services and users of machines."""

from __future__ import annotations

from collections.abc import Iterator

from nixgen.errors import Problem
from nixgen.models.core import at
from nixgen.models.machine import Machine
from nixgen.models.project import Project
from nixgen.models.rules.kubernetes import workloads_of
from nixgen.models.service import Service, User

__all__ = ["RULES"]


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
                        where=at(port),
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
                        f"the user {user.name!r} is described differently at {at(other)}",
                        where=at(user),
                        hint="use one User object for both",
                    )
            elif user.uid is not None and by_uid.setdefault(user.uid, user) is not user:
                yield Problem(
                    f"{path}.uid",
                    f"the uid {user.uid} is taken by the user {by_uid[user.uid].name!r}",
                    where=at(user),
                )


def _users(machine: Machine) -> Iterator[tuple[str, User]]:
    """Yield the users of a machine and of its services, with their model paths."""
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
            service, next_one = stack.pop()
            if next_one == 0:
                on_trail[id(service)] = len(trail)
                trail.append(service)
            if next_one < len(service.depends_on):
                stack.append((service, next_one + 1))
                needed = service.depends_on[next_one]
                if id(needed) in on_trail:
                    cycle = trail[on_trail[id(needed)] :]
                    key = frozenset(map(id, cycle))
                    if key not in reported:
                        reported.add(key)
                        names = " → ".join(item.name for item in (*cycle, cycle[0]))
                        yield Problem(
                            f"{path}.depends_on",
                            f"depends on itself: {names}",
                            where=at(start),
                            hint="remove one of these dependencies",
                        )
                elif id(needed) not in done:
                    stack.append((needed, 0))
            else:
                trail.pop()
                del on_trail[id(service)]
                done.add(id(service))


def _services_of_machines(project: Project) -> Iterator[tuple[str, Service]]:
    for machine in project.machines:
        for service in machine.services:
            yield f"machines.{machine.name}.services.{service.name}", service


def _services(project: Project) -> Iterator[tuple[str, Service]]:
    yield from _services_of_machines(project)
    for image in project.images:
        if image.service is not None:
            yield f"images.{image.name}.service", image.service
    for path, _, workload in workloads_of(project):
        yield f"{path}.service", workload.service


def _dependencies_exist(project: Project) -> Iterator[Problem]:
    """Yield a problem for each service on a machine that depends on a service on no machine."""
    placed = {id(service) for _, service in _services_of_machines(project)}
    for path, service in _services_of_machines(project):
        for index, needed in enumerate(service.depends_on):
            if id(needed) not in placed:
                yield Problem(
                    f"{path}.depends_on[{index}]",
                    f"the service {needed.name!r} runs on no machine of this project",
                    where=at(service),
                    hint=f"add {needed.name!r} to the services of a machine",
                )


RULES = (
    _port_collisions,
    _user_collisions,
    _dependency_cycles,
    _dependencies_exist,
)
