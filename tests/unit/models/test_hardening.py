"""Sandboxes: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Hardening, Machine, Project, Service, User

RUN = ("/bin/true",)


def service(name: str = "api", **fields: Any) -> Service:
    return Service(name, **{"command": RUN, **fields})


def with_service(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", services=[service(**fields)])])


FAULTS = {
    "file system": (
        with_service(hardening=Hardening(filesystem="closed")),
        "machines.m.services.api.hardening.filesystem",
    ),
    "capability": (
        with_service(hardening=Hardening(capabilities=["NET_ADMIN"])),
        "machines.m.services.api.hardening.capabilities[0]",
    ),
    "system call": (
        with_service(hardening=Hardening(system_calls=["@Mount"])),
        "machines.m.services.api.hardening.system_calls[0]",
    ),
    "writable in the open": (
        with_service(user=User("s"), hardening=Hardening(filesystem="open", writable=["/srv"])),
        "machines.m.services.api.hardening.writable",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)
