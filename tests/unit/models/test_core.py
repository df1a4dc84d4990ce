"""Wrong arguments of models are problems of the project, at the user's line, with the right spelling."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from nixgen import HttpCheck, Machine, Port, Project, Service
from nixgen.errors import Problem
from nixgen.models import check


def problems(*services: Service, **fields: Any) -> tuple[Problem, ...]:
    return check(Project("p", machines=[Machine("m", services=services, **fields)]))


def service(**fields: Any) -> Service:
    return Service("s", **{"command": ["/bin/true"], **fields})


def test_misspelt_fields_are_all_reported_at_their_lines() -> None:
    line = inspect.currentframe().f_lineno  # type: ignore[union-attr]
    one = Service("one", comand=["/bin/true"])  # type: ignore[call-arg]
    two = service(port=[Port(80)], health=HttpCheck(stauts=200))  # type: ignore[call-arg]
    three = Machine("m", services=[one, two], pakages=[])  # type: ignore[call-arg]
    found = check(Project("p", machines=[three]))
    assert [(problem.path, problem.hint) for problem in found] == [
        ("machines.m.pakages", "did you mean packages?"),
        ("machines.m.services.one.comand", "did you mean command?"),
        ("machines.m.services.s.port", "did you mean ports?"),
        ("machines.m.services.s.health.stauts", "did you mean status?"),
    ]
    assert [problem.where for problem in found if ".s." not in problem.path] == [
        f"{__file__}:{line + 3}",
        f"{__file__}:{line + 1}",
    ]


def test_a_field_without_a_similar_name_has_the_list_of_fields_as_its_hint() -> None:
    (found,) = problems(Service("s", command=["/bin/true"], zzz=1))  # type: ignore[call-arg]
    assert found.message == "is not a field of Service"
    assert "command, setup, description" in (found.hint or "")


def test_a_missing_field_is_a_problem() -> None:
    (found,) = problems(Service("s"))  # type: ignore[call-arg]
    assert (found.path, found.message) == ("machines.m.services.s.command", "is missing")
    assert found.hint == "give command=…"


def test_a_missing_name_is_a_problem_too() -> None:
    (found,) = problems(Service(command=["/bin/true"]))  # type: ignore[call-arg]
    assert (found.path, found.message) == ("machines.m.services[0].name", "is missing")


def test_a_value_without_a_place_is_a_problem() -> None:
    found = problems(Service("s", ["/bin/true"]))  # type: ignore[call-arg,misc]
    assert found[0].message == "has no place for ['/bin/true']"
    assert "command=…" in (found[0].hint or "")


def test_a_field_given_twice_is_a_problem() -> None:
    (found,) = problems(service(ports=[Port(80, number=81)]))  # type: ignore[misc]
    assert found.path == "machines.m.services.s.ports[0].number"
    assert "twice" in found.message


def test_a_type_error_of_the_user_s_own_code_is_raised() -> None:
    with pytest.raises(TypeError, match="concatenate"):
        Service("s", command=("/bin/" + word for word in ["a", 1] if word + 1))  # type: ignore[operator]
