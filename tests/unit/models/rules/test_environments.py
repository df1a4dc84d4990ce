"""Tests, overlays and environments name machines and variables of the project."""

from __future__ import annotations

import pytest
from faults import assert_only_fault

from nixgen.models import (
    Application,
    Environment,
    Image,
    Machine,
    Overlay,
    Project,
    Service,
    Test,
    Workload,
    check,
)

FAULTS = {
    "unknown machine": (
        Project("p", tests=[Test("t", machines=[Machine("x")])]),
        "tests.t.machines[0]",
    ),
    "environment changes nothing": (
        Project("p", environments=[Environment("e", variables={"X": "1"})]),
        "environments.e.variables['X']",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


def test_an_overlay_is_for_a_machine_of_the_project() -> None:
    overlay = Overlay(Machine("stranger"))
    project = Project(
        "p", machines=[Machine("m")], environments=[Environment("e", overlays=[overlay])]
    )
    assert_only_fault(project, "environments.e.overlays[0]", __file__)


def test_a_machine_has_one_overlay_in_an_environment() -> None:
    own = Machine("m")
    project = Project(
        "p",
        machines=[own],
        environments=[Environment("e", overlays=[Overlay(own), Overlay(own)])],
    )
    (problem,) = check(project)
    assert problem.path == "environments.e.overlays[1]"
    assert "second one for 'm'" in problem.message


def test_a_variable_of_an_application_is_enough_for_an_environment() -> None:
    api = Service("api", command=["/bin/true"], environment={"A": "1"})
    own = Workload(api, image=Image("api", service=api))
    sound = Project(
        "p",
        images=[own.image],
        applications=[Application("shop", workloads=[own])],
        environments=[Environment("e", variables={"A": "2"})],
    )
    assert check(sound) == ()
