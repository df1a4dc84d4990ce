"""Tests of machines: wrong values are named with their paths."""

from __future__ import annotations

import pytest
from faults import assert_only_fault

from nixgen.errors import ModelError
from nixgen.models import Machine, Project, Test, require_valid

FAULTS = {
    "test without machines": (Project("p", tests=[Test("t", machines=[])]), "tests.t.machines"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


@pytest.mark.parametrize("name", ["if", "class", "start-all", "subtest", "machines", "t"])
def test_a_test_needs_machines_that_its_script_can_name(name: str) -> None:
    machine = Machine(name)
    require_valid(Project("p", machines=[machine]))
    with pytest.raises(ModelError) as caught:
        require_valid(Project("p", machines=[machine], tests=[Test("smoke", machines=[machine])]))
    (problem,) = caught.value.problems
    assert problem.path == "tests.smoke.machines[0]"
    assert repr(name.replace("-", "_")) in problem.message
