"""Services: wrong values are named with their paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.errors import Problem
from nixgen.models import (
    CommandCheck,
    Hardening,
    HttpCheck,
    Machine,
    Package,
    Port,
    Project,
    Secret,
    Service,
    TcpCheck,
    User,
    check,
    require_valid,
    text,
)

TOKEN = Secret("token")
RUN = ("/bin/true",)
python = Package("python3")


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": RUN, **fields})


def with_service(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", services=[service(**fields)])])


def machine(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", **fields)])


def problem(**fields: Any) -> Problem:
    (found,) = check(with_service(**fields))
    return found


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
    "shell": (machine(users=[User("ann", shell="bash")]), "machines.m.users.ann.shell"),
    "key": (
        machine(users=[User("ann", authorized_keys=["AAAA"])]),
        "machines.m.users.ann.authorized_keys[0]",
    ),
    "a dynamic user stays closed": (
        with_service(hardening=Hardening.off()),
        "machines.m.services.api.hardening",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


@pytest.mark.parametrize("field", ["description", "home", "shell"])
def test_a_colon_is_refused_in_fields_of_etc_passwd(field: str) -> None:
    assert "':'" in problem(user=User("u", **{field: "/a:b"})).message


@pytest.mark.parametrize("prefix", "+-!:@|")
@pytest.mark.parametrize("field", ["command", "setup"])
@pytest.mark.parametrize("word", [str, lambda bad: text(bad + "${p}/bin/x", p=python)])
def test_a_program_may_not_begin_with_a_prefix_of_systemd(
    prefix: str, field: str, word: Callable[[str], object]
) -> None:
    words = [word(f"{prefix}/bin/x" if word is str else prefix)]
    found = problem(**{field: [words] if field == "setup" else words})
    assert repr(prefix) in found.message


def test_a_program_may_begin_with_a_package_or_a_slash() -> None:
    words = [python.program, text("${p}/bin/x", p=python), text("/opt/${p}", p=python)]
    for word in words:
        require_valid(with_service(command=[word, "+x"], setup=[[word, "-n"]]))


@pytest.mark.parametrize("value", [" x", "x ", "\tx", "x\t", "x\\"])
def test_what_a_setting_of_a_unit_would_lose_or_continue_is_refused(value: str) -> None:
    (problem,) = check(with_service(description=value))
    assert problem.message.startswith(("begins with", "ends with"))


@pytest.mark.parametrize("bad", ["/bin/it's", '/bin/"x"', "/bin/a\\b", "/bin/x\n", "/bin/x\x7f"])
@pytest.mark.parametrize("field", ["command", "setup"])
def test_a_character_that_systemd_allows_in_no_program_is_refused(bad: str, field: str) -> None:
    for word in (bad, text("${p}" + bad, p=python)):
        found = problem(**{field: [[word]] if field == "setup" else [word]})
        assert "systemd allows in no program's path" in found.message


def test_a_folder_is_no_program() -> None:
    assert "folder" in problem(command=[text("${p}/bin/", p=python)]).message
