"""Rules about the workloads that a cluster can run. They read only models without faults of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nixgen.errors import Problem
from nixgen.models.core import at
from nixgen.models.kubernetes import Application, Workload, port_name
from nixgen.models.project import Project
from nixgen.models.service import HttpCheck, Service
from nixgen.models.text import plain_text

__all__ = ["RULES", "placed_services", "workloads_of"]

# IANA_SVC_NAME, as the API server checks it: also a letter somewhere, and no two dashes in a row
_PORT_NAME = re.compile(r"(?!.*--)(?=.*[a-z]).*")
# RFC 1123 subdomain
_SECRET_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)
#: Highest number of a user or group. Kubernetes keeps it in 32 bits with a sign.
_HIGHEST_ID = 2**31 - 1
#: First minor version in which net.ipv4.ip_unprivileged_port_start is a safe sysctl. It lets users bind ports
#: below 1024.
_LOW_PORTS_SINCE = 22


def workloads_of(project: Project) -> Iterator[tuple[str, Application, Workload]]:
    """Yield every workload with its model path and its application.

    :param project: Project to read.
    """
    for application in project.applications:
        for workload in application.workloads:
            path = f"applications.{application.name}.workloads.{workload.name}"
            yield path, application, workload


def placed_services(project: Project) -> Iterator[Service]:
    """Yield every service on a machine or in an application.

    :param project: Project to read.
    """
    for machine in project.machines:
        yield from machine.services
    for _, _, workload in workloads_of(project):
        yield workload.service


def _namespaces_have_one_owner(project: Project) -> Iterator[Problem]:
    """Yield a problem for each namespace that two applications create. Deleting the owner deletes
    the namespace and everything in it, so there must be one owner.
    """
    owners: dict[str, Application] = {}
    for application in project.applications:
        if application.own_namespace is None:
            continue
        owner = owners.setdefault(application.own_namespace, application)
        if owner is not application:
            yield Problem(
                f"applications.{application.name}.namespace",
                f"{owner.namespace!r} is also created by the application {owner.name!r} at {at(owner)}",
                where=at(application),
                hint="give all but one of them create_namespace=False",
            )


def _workloads_of_a_namespace_have_own_names(project: Project) -> Iterator[Problem]:
    first: dict[tuple[str | None, str], Application] = {}
    for path, application, workload in workloads_of(project):
        other = first.setdefault((application.namespace, workload.name), application)
        if other is not application:
            yield Problem(
                path,
                f"the application {other.name!r} has a workload of this name in the same namespace",
                where=at(workload),
                hint="put one of the applications into another namespace",
            )


def _images_run_their_service(project: Project) -> Iterator[Problem]:
    known = set(map(id, project.images))
    for path, _, workload in workloads_of(project):
        image, service = workload.image, workload.service
        where = at(workload)
        if id(image) not in known:
            yield Problem(
                f"{path}.image",
                f"the image {image.name!r} is not one of the project's images",
                where=where,
                hint="add it to Project(images=[…])",
            )
        if image.service is not service:
            runs = f"the service {image.service.name!r}" if image.service else "no service"
            yield Problem(
                f"{path}.image",
                f"the image {image.name!r} runs {runs}, and the workload {service.name!r}",
                where=where,
                hint=f"make an Image of {service.name!r}: Image(…, service=…)",
            )
        elif image.command:
            yield Problem(
                f"{path}.image",
                f"the image {image.name!r} runs a command of its own instead of the service's",
                where=where,
                hint="make another Image, without command=[…]",
            )


def _services_fit_a_cluster(project: Project) -> Iterator[Problem]:
    for path, application, workload in workloads_of(project):
        service = workload.service
        if service.restart == "no":
            yield Problem(
                f"{path}.service.restart",
                "is 'no', but a cluster starts the pods of a Deployment again whenever they end",
                where=at(service),
                hint="leave it out, or run the service on a machine",
            )
        check = service.health
        if isinstance(check, HttpCheck) and not 200 <= check.status < 400:
            yield Problem(
                f"{path}.service.health.status",
                f"is {check.status}, and a cluster calls only 200 to 399 healthy",
                where=at(check),
                hint="ask for a path that answers with one of those, or use a CommandCheck",
            )
        for secret in service.secrets:
            if not _SECRET_NAME.fullmatch(secret.name):
                yield Problem(
                    f"{path}.service.secrets.{secret.name}",
                    f"no Secret of a cluster can be called {secret.name!r}",
                    where=at(secret),
                    hint="use small letters, digits, dashes and dots, as in db-password",
                )
        yield from _ports(path, application, service)
        yield from _hardening(path, service)
        yield from _ids(path, service)
        yield from _storage(path, workload)
        for name in workload.environment:
            if name not in service.environment:
                yield Problem(
                    f"{path}.environment[{name!r}]",
                    f"the service {service.name!r} does not declare this variable",
                    where=at(workload),
                    hint="give it a default in Service(environment={…})",
                )


def _ports(path: str, application: Application, service: Service) -> Iterator[Problem]:
    names: dict[str, int] = {}
    for index, port in enumerate(service.ports):
        place = f"{path}.service.ports[{index}].name"
        name = port_name(port)
        if not _PORT_NAME.fullmatch(name):
            yield Problem(
                place,
                f"a cluster has no port called {name!r}: it takes one letter at least, and no two dashes in a row",
                where=at(port),
                hint="for example http",
            )
        first = names.setdefault(name, index)
        if first != index:
            yield Problem(
                place,
                f"both ports[{first}] and ports[{index}] would be called {name!r} in a cluster",
                where=at(port),
                hint="give them other names",
            )
        if port.privileged and _minor(application) < _LOW_PORTS_SINCE and not service.runs_as_root:
            yield Problem(
                f"{path}.service.ports[{index}].number",
                f"is {port.number}, which Kubernetes {application.kubernetes_version} leaves to root",
                where=at(port),
                hint=f"use a port from 1024 on, or kubernetes_version 1.{_LOW_PORTS_SINCE} or newer",
            )


def _hardening(path: str, service: Service) -> Iterator[Problem]:
    hardening = service.hardening
    if hardening.capabilities and not service.runs_as_root:
        yield Problem(
            f"{path}.service.hardening.capabilities",
            "are for a user, and a cluster gives capabilities to root alone",
            where=at(hardening),
            hint="run it without, or on a machine",
        )
    if hardening.writable and hardening.filesystem == "strict":
        yield Problem(
            f"{path}.service.hardening.writable",
            f"names {hardening.writable[0]}, which lasts on a machine; in a cluster it would be gone with its pod",
            where=at(hardening),
            hint="keep it in the service's state_directory, which gets storage",
        )


def _ids(path: str, service: Service) -> Iterator[Problem]:
    user = service.user
    for name in ("uid", "gid"):
        number = getattr(user, name, None)
        if user is not None and number is not None and number > _HIGHEST_ID:
            yield Problem(
                f"{path}.service.user.{name}",
                f"is {number}, and a cluster has numbers up to {_HIGHEST_ID}",
                where=at(user),
                hint="choose a smaller one",
            )


def _minor(application: Application) -> int:
    return int(application.kubernetes_version.partition(".")[2])


def _storage(path: str, workload: Workload) -> Iterator[Problem]:
    directory = workload.service.state_directory
    if directory is None:
        if workload.storage is not None:
            yield Problem(
                f"{path}.storage",
                "is given, but the service has no state_directory to keep there",
                where=at(workload),
                hint="leave it out, or give the Service state_directory=…",
            )
    elif workload.storage is None:
        yield Problem(
            f"{path}.storage",
            f"is not given, and the service keeps its state in /var/lib/{directory}",
            where=at(workload),
            hint="give its size in MiB, as in storage=1024",
        )
    elif workload.replicas > 1:
        yield Problem(
            f"{path}.replicas",
            f"is {workload.replicas}, but one pod alone can have the storage of /var/lib/{directory}",
            where=at(workload),
            hint="leave it out, or keep the state elsewhere",
        )


def _dependencies_are_reachable(project: Project) -> Iterator[Problem]:
    placed = set(map(id, placed_services(project)))
    for path, _, workload in workloads_of(project):
        for index, needed in enumerate(workload.service.depends_on):
            if id(needed) not in placed:
                yield Problem(
                    f"{path}.service.depends_on[{index}]",
                    f"the service {needed.name!r} runs in no application and on no machine of this project",
                    where=at(workload.service),
                    hint=f"add a Workload of {needed.name!r} to an application",
                )


def _environments_are_plain(project: Project) -> Iterator[Problem]:
    """Yield a problem for each variable of an environment with a store path in it. A manifest holds
    text only, and an image, which has store paths, is the same in every environment.
    """
    for environment in project.environments:
        for name, value in environment.variables.items():
            if plain_text(value) is not None:
                continue
            for _, application, workload in workloads_of(project):
                if name in workload.service.environment:
                    yield Problem(
                        f"environments.{environment.name}.variables[{name!r}]",
                        f"mentions a store path, which the image of {workload.name!r} in the application "
                        f"{application.name!r} does not have",
                        where=at(environment),
                        hint="use plain text",
                    )


RULES = (
    _namespaces_have_one_owner,
    _workloads_of_a_namespace_have_own_names,
    _images_run_their_service,
    _services_fit_a_cluster,
    _dependencies_are_reachable,
    _environments_are_plain,
)
