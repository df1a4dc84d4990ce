"""Checks of values: what they refuse, and the spelling or rule that they suggest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.errors import Problem
from nixgen.models import (
    Boot,
    Ec2,
    FileSystem,
    Hardening,
    Interface,
    Machine,
    Network,
    Package,
    Port,
    Project,
    Secret,
    Service,
    Subnet,
    TmpfilesRule,
    User,
    Volume,
    check,
)
from nixgen.models.checks import repeated


def problems(*services: Service, **fields: Any) -> tuple[Problem, ...]:
    return check(Project("p", machines=[Machine("m", services=services, **fields)]))


def service(**fields: Any) -> Service:
    return Service("s", **{"command": ["/bin/true"], **fields})


@pytest.mark.parametrize(
    ("made", "hint"),
    [
        (lambda: service(ports=[8000]), "write Port(8000)"),
        (lambda: service(packages=["jq"]), 'write Package("jq")'),
        (lambda: service(user="joe"), 'write User("joe")'),
        (lambda: service(command=["/bin/true", 8000]), 'write "8000"'),
        (lambda: service(environment={"PORT": 8000}), 'write "8000"'),
        (lambda: service(ports=[Port("80")]), "write 80"),  # type: ignore[arg-type]
        (lambda: service(packages=["a b"]), None),
        (lambda: service(ports=[99999]), None),
    ],
)
def test_a_value_of_another_type_has_the_right_spelling(made: Any, hint: str | None) -> None:
    assert problems(made())[0].hint == hint


@pytest.mark.parametrize(
    ("made", "allowed"),
    [
        (lambda: Service("Web", command=["/bin/true"]), "small letters, digits and dashes"),
        (lambda: service(user=User("Joe")), "small letters, digits, _ and -"),
        (lambda: service(environment={"A-B": "1"}), "letters, digits and _"),
        (lambda: service(ports=[Port(80, name="HTTP")]), "15 at most"),
        (lambda: service(packages=[Package("a b")]), "for example nginx"),
    ],
)
def test_a_wrong_name_has_the_rule_for_names(made: Any, allowed: str) -> None:
    assert allowed in (problems(made())[0].hint or "")


def described(**fields: Any) -> Machine:
    return Machine("m", services=[service(**fields)])


def user(**fields: Any) -> Machine:
    return described(user=User("u", **fields))


def rule(path: str = "/srv", **fields: Any) -> Machine:
    return Machine("m", tmpfiles=[TmpfilesRule(path, **fields)])


SERVICE = "machines.m.services.s"


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x1b", "\x7f"])
@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda bad: described(description=bad), f"{SERVICE}.description"),
        (lambda bad: described(working_directory="/" + bad), f"{SERVICE}.working_directory"),
        (lambda bad: described(secrets=[Secret("k", file="/" + bad)]), f"{SERVICE}.secrets.k.file"),
        (
            lambda bad: described(hardening=Hardening(writable=["/" + bad])),
            f"{SERVICE}.hardening.writable[0]",
        ),
        (lambda bad: user(description=bad), f"{SERVICE}.user.description"),
        (lambda bad: user(home="/" + bad), f"{SERVICE}.user.home"),
        (lambda bad: user(shell="/" + bad), f"{SERVICE}.user.shell"),
        (
            lambda bad: user(authorized_keys=[f"ssh-ed25519 {'A' * 40} {bad}"]),
            f"{SERVICE}.user.authorized_keys[0]",
        ),
        (
            lambda bad: Machine("m", boot=Boot(sysctl={"kernel.domainname": bad})),
            "machines.m.boot.sysctl['kernel.domainname']",
        ),
        (lambda bad: rule("/srv/" + bad), "machines.m.tmpfiles[0].path"),
        (lambda bad: rule(argument=bad), "machines.m.tmpfiles[0].argument"),
    ],
)
def test_a_control_character_is_refused_at_its_field(
    make: Callable[[str], Machine], path: str, end: str
) -> None:
    (problem,) = check(Project("p", machines=[make(f"x{end}y")]))
    assert problem.path == path
    assert repr(end) in problem.message or "is not" in problem.message
    assert (problem.where or "").startswith(f"{__file__}:")


SUBNET = Subnet("subnet-0a1b2c3d")


@pytest.mark.parametrize(
    ("machine", "path"),
    [
        (Machine("m", file_systems=[FileSystem(["/"], device="/dev/vda")]), "file_systems[0].mount_point"),
        (described(ports=[Port([80])]), "services.s.ports[0].number"),
        (described(ports=[Port(80, name=["http"])]), "services.s.ports[0].name"),
        (Machine("m", network=Network(interfaces=[Interface(["eth0"])])), "network.interfaces[0].name"),
        (
            Machine("m", network=Network(interfaces=[Interface("eth0", addresses=[["10.0.0.1/8"]])])),
            "network.interfaces[0].addresses[0]",
        ),
        (
            Machine("m", ec2=Ec2("m5.large", region="eu-central-1", subnet=SUBNET, storage=[Volume(["/dev/xvdf"], size=1)])),
            "ec2.storage[0].device",
        ),
    ],
)  # fmt: skip
def test_a_list_where_values_are_compared_is_one_problem(machine: Machine, path: str) -> None:
    assert_only_fault(Project("p", machines=[machine]), f"machines.m.{path}", __file__)


def test_repeated_values_come_with_the_index_of_the_first() -> None:
    assert list(repeated(["a", None, "b", "a", None, [1], [1], "a"])) == [(3, 0, "a"), (7, 0, "a")]
