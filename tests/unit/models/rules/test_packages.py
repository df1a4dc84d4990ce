"""A package has one meaning."""

from __future__ import annotations

import pytest
from faults import assert_only_fault

from nixgen.models import Image, Package, Project

FAULTS = {
    "package means two things": (
        Project(
            "p",
            packages=[Package("x", debian=["a1"])],
            images=[Image("i", command=[Package("x") / "b"])],
        ),
        "packages.x",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)
