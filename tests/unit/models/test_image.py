"""Images: wrong values are named with their paths."""

from __future__ import annotations

import pytest
from faults import assert_only_fault

from nixgen.models import Image, Project

RUN = ("/bin/true",)


FAULTS = {
    "image runs nothing": (Project("p", images=[Image("i")]), "images.i"),
    "image tag": (Project("p", images=[Image("i", command=RUN, tag="a b")]), "images.i.tag"),
    "image name": (Project("p", images=[Image("I", command=RUN)]), "images.I.name"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)
