"""Fields that hold a list: they accept lists, tuples and generators, and show how to write them."""

from __future__ import annotations

from typing import Any

import pytest

from nixgen import Machine, Package, Port, Project, Service
from nixgen.errors import ModelError
from nixgen.models import require_valid


def problem(**fields: Any) -> Any:
    service = Service("s", **{"command": ["/bin/true"], **fields})
    with pytest.raises(ModelError) as caught:
        require_valid(Project("p", machines=[Machine("m", services=[service])]))
    return caught.value.problems[0]


@pytest.mark.parametrize("field", ["command", "setup", "ports", "packages", "depends_on"])
@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_set_is_refused_because_it_has_no_order(field: str, kind: type) -> None:
    found = problem(**{field: kind(["/bin/b", "/bin/a"])})
    assert found.path == f"machines.m.services.s.{field}"
    assert "set" in found.message
    assert "order" in found.hint


@pytest.mark.parametrize(
    ("fields", "spelling"),
    [
        ({"ports": 8000}, "[Port(8000)]"),
        ({"ports": Port(8000)}, "[Port(…)]"),
        ({"command": "/bin/true"}, '["/bin/true"]'),
        ({"command": "python3 -m http"}, '["python3", "-m", "http"]'),
        ({"packages": "jq"}, '[Package("jq")]'),
        ({"ports": "http"}, '["http"]'),
        ({"packages": Package("jq")}, "[Package(…)]"),
    ],
)
def test_the_hint_for_one_value_shows_it_in_brackets(fields: dict[str, Any], spelling: str) -> None:
    assert spelling in problem(**fields).hint


def test_generators_and_tuples_are_lists() -> None:
    ports = (Port(number) for number in (1, 2))
    service = Service("s", command=("/bin/true", "x"), ports=ports)
    assert [port.number for port in service.ports] == [1, 2]
    assert service.command == ("/bin/true", "x")


@pytest.mark.parametrize("field", ["command", "ports", "environment", "description", "hardening"])
def test_none_is_refused_by_a_field_whose_default_is_another_value(field: str) -> None:
    assert problem(**{field: None}).path == f"machines.m.services.s.{field}"


@pytest.mark.parametrize("field", ["health", "user", "working_directory"])
def test_none_is_accepted_by_a_field_whose_default_is_none(field: str) -> None:
    service = Service("s", command=["/bin/true"], **{field: None})
    require_valid(Project("p", machines=[Machine("m", services=[service])]))
