"""Wrong arguments of models: all of them are problems of the project, at the user's line, with the right spelling."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from nixgen import HttpCheck, Machine, Package, Port, Project, Service, User
from nixgen.errors import ModelError, Problem
from nixgen.models import check
from nixgen.project.load import load_project


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


def test_a_field_that_is_like_no_other_has_the_list_of_fields() -> None:
    (found,) = problems(Service("s", command=["/bin/true"], zzz=1))  # type: ignore[call-arg]
    assert found.message == "is not a field of Service"
    assert "command, setup, description" in (found.hint or "")


def test_a_missing_field_is_a_problem() -> None:
    (found,) = problems(Service("s"))  # type: ignore[call-arg]
    assert (found.path, found.message) == ("machines.m.services.s.command", "is missing")
    assert found.hint == "give command=…"


def test_a_name_that_is_missing_is_a_problem_too() -> None:
    (found,) = problems(Service(command=["/bin/true"]))  # type: ignore[call-arg]
    assert (found.path, found.message) == ("machines.m.services[0].name", "is missing")


def test_a_value_without_a_place_is_a_problem() -> None:
    found = problems(Service("s", ["/bin/true"]))  # type: ignore[call-arg,misc]
    assert found[0].message == "has no place for ['/bin/true']"
    assert "command=…" in (found[0].hint or "")


def test_a_field_that_is_given_twice_is_a_problem() -> None:
    (found,) = problems(service(ports=[Port(80, number=81)]))  # type: ignore[misc]
    assert found.path == "machines.m.services.s.ports[0].number"
    assert "twice" in found.message


def test_a_type_error_of_the_user_s_own_code_is_raised() -> None:
    with pytest.raises(TypeError, match="concatenate"):
        Service("s", command=("/bin/" + word for word in ["a", 1] if word + 1))  # type: ignore[operator]


def test_loading_reports_also_what_the_project_does_not_refer_to(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(
        "from nixgen import Machine, Project, Service\n"
        "unused = Service('a', comand=['/bin/true'])\n"
        "project = Project('p', machines=[Machine('m', servces=[])])\n"
    )
    for _ in range(2):  # nothing is left of the run before
        with pytest.raises(ModelError) as caught:
            load_project(tmp_path)
        assert [(found.path, found.where) for found in caught.value.problems] == [
            ("machines.m.servces", "infra.py:3"),
            ("Service.comand", "infra.py:2"),
        ]


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
