"""Names are unique."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Image, Machine, Project, Service

RUN = ("/bin/true",)


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": RUN, **fields})


FAULTS = {
    "machine twice": (Project("p", machines=[Machine("x"), Machine("x")]), "machines[1]"),
    "image twice": (
        Project("p", images=[Image("x", command=RUN), Image("x", command=RUN)]),
        "images[1]",
    ),
    "service twice": (
        Project("p", machines=[Machine("m", services=[service("a"), service("a")])]),
        "machines.m.services[1]",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)
