"""A plain value never becomes a line, a field or a prefix of a file that nixgen writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nixgen import Machine, Package, Project, Secret, Service, Test, TmpfilesRule, User, text
from nixgen.errors import ModelError
from nixgen.models import Boot, Hardening, require_valid

python = Package("python3")


def service(**fields: Any) -> Machine:
    return Machine("m", services=[Service("s", **{"command": ["/bin/true"], **fields})])


def user(**fields: Any) -> Machine:
    return service(user=User("u", **fields))


def rule(path: str = "/srv", **fields: Any) -> Machine:
    return Machine("m", tmpfiles=[TmpfilesRule(path, **fields)])


SERVICE = "machines.m.services.s"


@pytest.mark.parametrize("end", ["\n", "\r", "\x0b", "\x1b", "\x7f"])
@pytest.mark.parametrize(
    ("make", "path"),
    [
        (lambda bad: service(description=bad), f"{SERVICE}.description"),
        (lambda bad: service(working_directory="/" + bad), f"{SERVICE}.working_directory"),
        (lambda bad: service(secrets=[Secret("k", file="/" + bad)]), f"{SERVICE}.secrets.k.file"),
        (
            lambda bad: service(hardening=Hardening(writable=["/" + bad])),
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
    problem = refused(make(f"x{end}y"))
    assert problem.path == path
    assert repr(end) in problem.message or "is not" in problem.message
    assert (problem.where or "").startswith(f"{__file__}:")


@pytest.mark.parametrize("field", ["description", "home", "shell"])
def test_a_colon_ends_a_field_of_passwd(field: str) -> None:
    assert "':'" in refused(user(**{field: "/a:b"})).message


@pytest.mark.parametrize("prefix", "+-!:@|")
@pytest.mark.parametrize("field", ["command", "setup"])
@pytest.mark.parametrize("word", [str, lambda bad: text(bad + "${p}/bin/x", p=python)])
def test_a_prefix_of_systemd_is_no_text(
    prefix: str, field: str, word: Callable[[str], object]
) -> None:
    words = [word(f"{prefix}/bin/x" if word is str else prefix)]
    problem = refused(service(**{field: [words] if field == "setup" else words}))
    assert repr(prefix) in problem.message


def test_a_program_may_begin_with_a_package_or_a_slash() -> None:
    words = [python.program, text("${p}/bin/x", p=python), text("/opt/${p}", p=python)]
    for word in words:
        require_valid(Project("p", machines=[service(command=[word, "+x"], setup=[[word, "-n"]])]))


def refused(machine: Machine) -> Any:
    with pytest.raises(ModelError) as caught:
        require_valid(Project("p", machines=[machine]))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", ["if", "class", "start-all", "subtest", "machines", "t"])
def test_a_test_needs_machines_that_its_script_can_name(name: str) -> None:
    machine = Machine(name)
    require_valid(Project("p", machines=[machine]))
    with pytest.raises(ModelError) as caught:
        require_valid(Project("p", machines=[machine], tests=[Test("smoke", machines=[machine])]))
    (problem,) = caught.value.problems
    assert problem.path == "tests.smoke.machines[0]"
    assert repr(name.replace("-", "_")) in problem.message
