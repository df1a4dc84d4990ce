"""Environments and overlays: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Environment, Machine, NixModule, Project


def environment(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m")], environments=[Environment("e", **fields)])


@pytest.mark.parametrize(
    ("project", "path"),
    [
        (environment(options={"..": 1}), "environments.e.options['..']"),
        (environment(modules=[NixModule("~/x")]), "environments.e.modules[0].path"),
        (environment(overlays=[Machine("m")]), "environments.e.overlays[0]"),
    ],
)
def test_a_fault_is_reported_once_at_its_path(project: Project, path: str) -> None:
    assert_only_fault(project, path, __file__)
