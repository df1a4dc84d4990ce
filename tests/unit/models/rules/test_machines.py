"""Services and users of one machine fit together."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Machine, Port, Project, Service, User, check

RUN = ("/bin/true",)


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": RUN, **fields})


def with_service(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", services=[service(**fields)])])


FAULTS = {
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
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


def test_a_cycle_of_services_is_reported_once() -> None:
    a, b = service("a"), service("b")
    b = service("b", depends_on=[a])
    # frozen references cannot form a cycle by themselves; code that works around it is still told
    object.__setattr__(a, "depends_on", (b,))
    problems = check(Project("p", machines=[Machine("m", services=[a, b])]))
    assert [problem.message for problem in problems] == ["depends on itself: a → b → a"]
