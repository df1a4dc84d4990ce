"""Every problem is reported, at once, with its model path and the line it was written on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from nixgen.errors import ModelError
from nixgen.models import (
    CommandCheck,
    ConfigFile,
    Environment,
    HttpCheck,
    Image,
    Machine,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Source,
    TcpCheck,
    Test,
    User,
    check,
    require_valid,
    text,
)

RUN = ("/bin/true",)
TOKEN = Secret("token")


def service(name: str = "api", **fields: object) -> Service:
    return Service(name, **{"command": RUN, **fields})  # type: ignore[arg-type]


def with_service(**fields: object) -> Project:
    return Project("p", machines=[Machine("m", services=[service(**fields)])])


FAULTS = {
    "port out of range": (
        with_service(ports=[Port(70000)]),
        "machines.m.services.api.ports[0].number",
    ),
    "port zero": (with_service(ports=[Port(0)]), "machines.m.services.api.ports[0].number"),
    "port is text": (with_service(ports=[Port("80")]), "machines.m.services.api.ports[0].number"),  # type: ignore[arg-type]
    "port is a bool": (with_service(ports=[Port(True)]), "machines.m.services.api.ports[0].number"),
    "port is an int": (with_service(ports=[80]), "machines.m.services.api.ports[0]"),
    "ports are not a list": (with_service(ports=80), "machines.m.services.api.ports"),
    "protocol": (
        with_service(ports=[Port(80, protocol="sctp")]),
        "machines.m.services.api.ports[0].protocol",
    ),
    "port twice": (with_service(ports=[Port(80), Port(80)]), "machines.m.services.api.ports[1]"),
    "port name twice": (
        with_service(ports=[Port(80, name="x"), Port(81, name="x")]),
        "machines.m.services.api.ports[1].name",
    ),
    "command missing": (with_service(command=[]), "machines.m.services.api.command"),
    "command is a string": (with_service(command="/bin/x"), "machines.m.services.api.command"),
    "command is relative": (with_service(command=["nginx"]), "machines.m.services.api.command[0]"),
    "secret in a command": (
        with_service(command=["/bin/x", TOKEN]),
        "machines.m.services.api.command[1]",
    ),
    "secret in the environment": (
        with_service(environment={"T": TOKEN}),
        "machines.m.services.api.environment['T']",
    ),
    "secret in text": (
        with_service(command=["/bin/x", text("--t=${t}", t=TOKEN)]),
        "machines.m.services.api.command[1]",
    ),
    "secret in a file": (
        Project("p", machines=[Machine("m", files={"f": ConfigFile("f", text("${t}", t=TOKEN))})]),
        "machines.m.files['f'].content",
    ),
    "variable name": (
        with_service(environment={"A-B": "1"}),
        "machines.m.services.api.environment['A-B']",
    ),
    "variable is a number": (
        with_service(environment={"A": 1}),
        "machines.m.services.api.environment['A']",
    ),
    "NUL": (with_service(environment={"A": "a\0b"}), "machines.m.services.api.environment['A']"),
    "lone surrogate": (
        with_service(environment={"A": "\ud800"}),
        "machines.m.services.api.environment['A']",
    ),
    "health without a port": (
        with_service(health=TcpCheck()),
        "machines.m.services.api.health.port",
    ),
    "health of two ports": (
        with_service(ports=[Port(1), Port(2)], health=HttpCheck()),
        "machines.m.services.api.health.port",
    ),
    "health of a foreign port": (
        with_service(ports=[Port(1)], health=HttpCheck(port=Port(1))),
        "machines.m.services.api.health.port",
    ),
    "health of a udp port": (
        with_service(ports=[Port(1, protocol="udp")], health=TcpCheck()),
        "machines.m.services.api.health.port",
    ),
    "health path": (
        with_service(ports=[Port(1)], health=HttpCheck("x")),
        "machines.m.services.api.health.path",
    ),
    "health command": (
        with_service(health=CommandCheck([])),
        "machines.m.services.api.health.command",
    ),
    "restart": (with_service(restart="maybe"), "machines.m.services.api.restart"),
    "service name": (with_service(name="Api"), "machines.m.services.Api.name"),
    "user name": (with_service(user=User("a b")), "machines.m.services.api.user.name"),
    "uid": (with_service(user=User("a", uid=-1)), "machines.m.services.api.user.uid"),
    "setup": (with_service(setup=[[]]), "machines.m.services.api.setup[0]"),
    "machine name": (Project("p", machines=[Machine("a_b")]), "machines.a_b.name"),
    "machine system": (Project("p", machines=[Machine("m", system="vax")]), "machines.m.system"),
    "machine memory": (Project("p", machines=[Machine("m", memory=1)]), "machines.m.memory"),
    "not a machine": (Project("p", machines=["m"]), "machines[0]"),  # type: ignore[list-item]
    "etc path": (
        Project("p", machines=[Machine("m", files={"../x": ConfigFile("x", "")})]),
        "machines.m.files['../x']",
    ),
    "image runs nothing": (Project("p", images=[Image("i")]), "images.i"),
    "image tag": (Project("p", images=[Image("i", command=RUN, tag="a b")]), "images.i.tag"),
    "image name": (Project("p", images=[Image("I", command=RUN)]), "images.I.name"),
    "source is absolute": (
        with_service(command=["/x", Source("/etc")]),
        "machines.m.services.api.command[1].path",
    ),
    "a pattern without end": (
        with_service(command=["/x", Source("app", exclude=["*.log", "[a"])]),
        "machines.m.services.api.command[1].exclude[1]",
    ),
    "a pattern that is a comment": (
        with_service(command=["/x", Source("app", include=["# all"])]),
        "machines.m.services.api.command[1].include[0]",
    ),
    "a pattern of two lines": (
        with_service(command=["/x", Source("app", include=["a\nb"])]),
        "machines.m.services.api.command[1].include[0]",
    ),
    "a pattern that Nix cannot say": (
        with_service(command=["/x", Source("app", exclude=["[éè]"])]),
        "machines.m.services.api.command[1].exclude[0]",
    ),
    "patterns in one text": (
        with_service(command=["/x", Source("app", include="*.py")]),  # type: ignore[arg-type]
        "machines.m.services.api.command[1].include",
    ),
    "nothing included": (
        with_service(command=["/x", Source("app", include=[])]),
        "machines.m.services.api.command[1].include",
    ),
    "package name": (Project("p", packages=[Package("a.b")]), "packages.a.b.name"),
    "test without machines": (Project("p", tests=[Test("t", machines=[])]), "tests.t.machines"),
    "unknown machine": (
        Project("p", tests=[Test("t", machines=[Machine("x")])]),
        "tests.t.machines[0]",
    ),
    "machine twice": (Project("p", machines=[Machine("x"), Machine("x")]), "machines[1]"),
    "image twice": (
        Project("p", images=[Image("x", command=RUN), Image("x", command=RUN)]),
        "images[1]",
    ),
    "service twice": (
        Project("p", machines=[Machine("m", services=[service("a"), service("a")])]),
        "machines.m.services[1]",
    ),
    "port collision": (
        Project(
            "p",
            machines=[
                Machine(
                    "m", services=[service("a", ports=[Port(1)]), service("b", ports=[Port(1)])]
                )
            ],
        ),
        "machines.m.services.b.ports[0]",
    ),
    "user described twice": (
        Project(
            "p",
            machines=[
                Machine("m", users=[User("u", uid=1)], services=[service(user=User("u", uid=2))])
            ],
        ),
        "machines.m.services.api.user",
    ),
    "uid taken": (
        Project("p", machines=[Machine("m", users=[User("u", uid=1), User("v", uid=1)])]),
        "machines.m.users.v.uid",
    ),
    "dependency runs nowhere": (
        with_service(depends_on=[service("db")]),
        "machines.m.services.api.depends_on[0]",
    ),
    "environment changes nothing": (
        Project("p", environments=[Environment("e", variables={"X": "1"})]),
        "environments.e.variables['X']",
    ),
    "package means two things": (
        Project(
            "p",
            packages=[Package("x", debian=["a1"])],
            images=[Image("i", command=[Package("x") / "b"])],
        ),
        "packages.x",
    ),
    "project name": (Project("My Shop"), "name"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_names_the_fault(name: str) -> None:
    project, path = FAULTS[name]
    problems = check(project)
    assert [problem.path for problem in problems] == [path]
    where = problems[0].where
    assert where is not None
    assert where.startswith(f"{Path(__file__)}:")


def test_reports_all_problems_at_once_with_their_own_lines() -> None:
    first = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    port = Port(0)
    bad = Service("BAD", command=RUN, ports=[port])
    machine = Machine("m", services=[bad], memory=0)
    with pytest.raises(ModelError) as caught:
        require_valid(Project("p", machines=[machine]))
    lines = {
        problem.path: int((problem.where or "").rpartition(":")[2]) - first
        for problem in caught.value.problems
    }
    assert lines == {
        "machines.m.memory": 2,
        "machines.m.services.BAD.name": 1,
        "machines.m.services.BAD.ports[0].number": 0,
    }
    assert caught.value.exit_status == 2


def test_a_cycle_of_services_is_named_once() -> None:
    a, b = service("a"), service("b")
    b = service("b", depends_on=[a])
    # frozen references cannot form a cycle by themselves; code that works around it is still told
    object.__setattr__(a, "depends_on", (b,))
    problems = check(Project("p", machines=[Machine("m", services=[a, b])]))
    assert [problem.message for problem in problems] == ["depends on itself: a → b → a"]


def test_a_shared_value_is_reported_once() -> None:
    bad = service(ports=[Port(0)])
    project = Project(
        "p", machines=[Machine("m", services=[bad])], images=[Image("i", service=bad)]
    )
    assert len(check(project)) == 1


@pytest.mark.parametrize("write", [str, "{}".format, "%s".__mod__, lambda it: f"{it}"])
def test_references_are_not_strings(write: Callable[[object], str]) -> None:
    for thing in (Package("x"), Source("x"), ConfigFile("x", ""), TOKEN, text("a")):
        with pytest.raises(TypeError, match=r"cannot (become a str|be put into text)"):
            write(thing)


def test_text_keeps_plain_dollars_and_names_every_placeholder() -> None:
    package = Package("x")
    assert text("a $host $${b} ${p}/c", p=package).parts == ("a $host ", "${", "b} ", package, "/c")
    with pytest.raises(ValueError, match="no argument 'q'"):
        text("${q}")
    with pytest.raises(ValueError, match="never uses r"):
        text("x", r=package)


def test_plain_data_is_never_interpolated() -> None:
    assert ConfigFile("f", "${pkgs.evil}").content == "${pkgs.evil}"


def test_a_secret_does_not_show_its_place_in_text() -> None:
    assert "token" in repr(TOKEN)
    with pytest.raises(TypeError, match="secrets="):
        str.format("{}", TOKEN)
