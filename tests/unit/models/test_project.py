"""Projects: wrong values are named with their paths."""

from __future__ import annotations

import pytest
from faults import assert_only_fault

from nixgen.models import Project

FAULTS = {
    "not a machine": (Project("p", machines=["m"]), "machines[0]"),  # type: ignore[list-item]
    "project name": (Project("My Shop"), "name"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)
