"""Workloads that a cluster cannot run are reported before anything is rendered, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import (
    Application,
    Environment,
    Hardening,
    HttpCheck,
    Image,
    Machine,
    NixModule,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    TcpCheck,
    User,
    Workload,
    check,
    text,
)

PLACE = "applications.shop.workloads.api"


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": ["/bin/true"], **fields})


def project(*workloads: Workload, images: bool = True, **fields: Any) -> Project:
    """A project of one application, with the images of its workloads."""
    own = {id(each.image): each.image for each in workloads} if images else {}
    return Project(
        "p",
        images=list(own.values()),
        applications=[Application("shop", workloads=workloads, **fields)],
    )


def workload(what: Service | None = None, **fields: Any) -> Workload:
    what = what or service()
    return Workload(what, image=Image(what.name, service=what), **fields)


def of(service_fields: dict[str, Any], **fields: Any) -> Project:
    return project(workload(service(**service_fields), **fields))


def two(first: Application, second: Application) -> Project:
    images = {id(each.image): each.image for app in (first, second) for each in app.workloads}
    return Project("p", images=list(images.values()), applications=[first, second])


API = service()
SHARED = workload(API)
check_port = Port(80)
FAULTS = {
    "name": (two(Application("Shop", workloads=[workload()]), Application("b", workloads=[workload(service("b"))])), "applications.Shop.name"),
    "nothing in it": (project(), "applications.shop.workloads"),
    "no workload": (Project("p", applications=[Application("shop", workloads=[service()])]), "applications.shop.workloads[0]"),  # type: ignore[list-item]
    "no service": (Project("p", applications=[Application("shop", workloads=[Workload("api", image=Image("api", service=service()))])]), "applications.shop.workloads[0].service"),  # type: ignore[arg-type]
    "no image": (Project("p", applications=[Application("shop", workloads=[Workload(service(), image="api:latest")])]), f"{PLACE}.image"),  # type: ignore[arg-type]
    "replicas": (project(workload(replicas=-1)), f"{PLACE}.replicas"),
    "replicas are a bool": (project(workload(replicas=True)), f"{PLACE}.replicas"),
    "namespace": (project(workload(), namespace="Shop"), "applications.shop.namespace"),
    "create_namespace": (project(workload(), create_namespace="no"), "applications.shop.create_namespace"),
    "registry": (project(workload(), registry="https://images.example.org"), "applications.shop.registry"),
    "version": (project(workload(), kubernetes_version="1.18"), "applications.shop.kubernetes_version"),
    "modules": (project(workload(), modules=["x.nix"]), "applications.shop.modules[0]"),
    "label name": (project(workload(), labels={"a b": "c"}), "applications.shop.labels['a b']"),
    "label value": (project(workload(labels={"a": "b/c"})), f"{PLACE}.labels['a']"),
    "label is a number": (project(workload(labels={"a": 1})), f"{PLACE}.labels['a']"),
    "label too long": (project(workload(labels={"a": "b" * 64})), f"{PLACE}.labels['a']"),
    "own label": (project(workload(labels={"app.kubernetes.io/name": "x"})), f"{PLACE}.labels['app.kubernetes.io/name']"),
    "label of kubenix": (project(workload(labels={"kubenix/hash": "x"})), f"{PLACE}.labels['kubenix/hash']"),
    "secret in a variable": (of({"environment": {"A": "1"}}, environment={"A": Secret("s")}), f"{PLACE}.environment['A']"),
    "store path in a variable": (of({"environment": {"A": "1"}}, environment={"A": Package("x")}), f"{PLACE}.environment['A']"),
    "text with a store path": (of({"environment": {"A": "1"}}, environment={"A": text("${x}", x=Source("x"))}), f"{PLACE}.environment['A']"),
    "variable is not declared": (project(workload(environment={"A": "1"})), f"{PLACE}.environment['A']"),
    "image is not the project's": (project(workload(), images=False), f"{PLACE}.image"),
    "image of another service": (project(Workload(service(), image=Image("other", service=service("other")))), f"{PLACE}.image"),
    "image of no service": (project(Workload(service(), image=Image("other", command=["/bin/true"]))), f"{PLACE}.image"),
    "image with a command": (project(Workload(API, image=Image("i", service=API, command=["/bin/x"]))), f"{PLACE}.image"),
    "ends for good": (of({"restart": "no"}), f"{PLACE}.service.restart"),
    "status": (of({"ports": [check_port], "health": HttpCheck(status=404)}), f"{PLACE}.service.health.status"),
    "name of a secret": (of({"secrets": [Secret("API_TOKEN")]}), f"{PLACE}.service.secrets.API_TOKEN"),
    "name of a port, without a letter": (of({"ports": [Port(80, name="80")]}), f"{PLACE}.service.ports[0].name"),
    "name of a port, two dashes": (of({"ports": [Port(80, name="a--b")]}), f"{PLACE}.service.ports[0].name"),
    "name of a port, derived": (of({"ports": [Port(80), Port(81, name="tcp-80")]}), f"{PLACE}.service.ports[1].name"),
    "low port, old cluster": (project(workload(service(ports=[Port(80)])), kubernetes_version="1.21"), f"{PLACE}.service.ports[0].number"),
    "state without storage": (of({"state_directory": "api"}), f"{PLACE}.storage"),
    "storage without state": (project(workload(storage=1)), f"{PLACE}.storage"),
    "storage of two": (of({"state_directory": "api"}, storage=1, replicas=2), f"{PLACE}.replicas"),
    "storage of nothing": (of({"state_directory": "api"}, storage=0), f"{PLACE}.storage"),
    "capabilities of a user": (of({"hardening": Hardening(capabilities=["CAP_CHOWN"])}), f"{PLACE}.service.hardening.capabilities"),
    "uid": (of({"user": User("a", uid=2**31)}), f"{PLACE}.service.user.uid"),
    "gid": (of({"user": User("a", gid=2**31)}), f"{PLACE}.service.user.gid"),
    "writable paths": (of({"hardening": Hardening(writable=["/srv"])}), f"{PLACE}.service.hardening.writable"),
    "dependency runs nowhere": (of({"depends_on": [service("db")]}), f"{PLACE}.service.depends_on[0]"),
    "application twice": (two(Application("a", workloads=[workload()]), Application("a", workloads=[workload(service("b"))])), "applications[1]"),
    "workload twice": (project(SHARED, SHARED), "applications.shop.workloads[1]"),
    "workload twice in a namespace": (two(Application("a", workloads=[SHARED]), Application("b", workloads=[SHARED])), "applications.b.workloads.api"),
    "namespace twice": (two(Application("a", namespace="n", workloads=[workload()]), Application("b", namespace="n", workloads=[workload(service("b"))])), "applications.b.namespace"),
    "environment with a store path": (
        Project("p", images=[(w := workload(service(environment={"A": "1"}))).image], applications=[Application("shop", workloads=[w])], environments=[Environment("e", variables={"A": Package("x")})]),
        "environments.e.variables['A']",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    faulty, path = FAULTS[name]
    assert_only_fault(faulty, path, __file__)


SOUND = {
    "everything by default": project(workload()),
    "ports of a newer cluster": project(
        workload(service(ports=[Port(80)])), kubernetes_version="1.22"
    ),
    "root may use low ports anywhere": project(
        workload(service(ports=[Port(80)], user=User("root"))), kubernetes_version="1.19"
    ),
    "the same names in two namespaces": two(
        Application("a", namespace="a", workloads=[SHARED]),
        Application("b", namespace="b", workloads=[SHARED]),
    ),
    "one namespace, made by one": two(
        Application("a", namespace="n", workloads=[workload()]),
        Application("b", namespace="n", create_namespace=False, workloads=[workload(service("b"))]),
    ),
    "a namespace that every cluster has, twice": two(
        Application("a", namespace="default", workloads=[workload()]),
        Application("b", namespace="default", workloads=[workload(service("b"))]),
    ),
    "nothing but a module": project(modules=[NixModule("x.nix")]),
    "a writable root needs no exceptions": of({"user": User("a"), "hardening": Hardening(filesystem="full", writable=["/srv"])}),
    "capabilities of root": of(
        {"user": User("root"), "hardening": Hardening(capabilities=["CAP_CHOWN"])}
    ),
    "health of a tcp port beside a udp port": of(
        {
            "ports": [(tcp := Port(53, name="dns-tcp")), Port(53, protocol="udp", name="dns")],
            "health": TcpCheck(port=tcp),
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_application_has_no_problem(name: str) -> None:
    assert check(SOUND[name]) == ()


def test_a_dependency_may_be_in_another_application_or_on_a_machine() -> None:
    db, queue = service("db"), service("queue")
    api = workload(service(depends_on=[db, queue]))
    other = workload(queue)
    sound = Project(
        "p",
        machines=[Machine("m", services=[db])],
        images=[api.image, other.image],
        applications=[
            Application("shop", workloads=[api]),
            Application("queues", workloads=[other]),
        ],
    )
    assert check(sound) == ()


def test_all_problems_of_an_application_come_at_once() -> None:
    faulty = of(
        {"restart": "no", "secrets": [Secret("A")], "state_directory": "x"}, environment={"X": ""}
    )
    assert {problem.path.removeprefix(f"{PLACE}.") for problem in check(faulty)} == {
        "service.restart",
        "service.secrets.A",
        "storage",
        "environment['X']",
    }
