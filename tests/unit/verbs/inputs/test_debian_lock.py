"""The lock of Debian packages, and machines with systems that it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nixgen.errors import ModelError
from nixgen.project.workspace import Workspace
from nixgen.verbs.inputs import ensure_lock

INFRA = """\
from nixgen import Machine, Project, Test

web = Machine("web")
arm = Machine("arm", system="aarch64-linux")
project = Project("p", machines=[web, arm], tests=[Test("smoke", machines=[arm], script="pass")])
"""
PIN = {"type": "debian", "suite": "bookworm", "architectures": ["amd64"], "lock": "debian.lock.json"}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "infra.py").write_text(INFRA)
    inputs = {"schema": "nixgen/inputs/1", "inputs": {"debian": PIN}}
    (tmp_path / "flake-inputs.json").write_text(json.dumps(inputs))
    return Workspace.open(tmp_path)


@pytest.mark.parametrize("targets", [["machines.web", "machines.arm"], ["tests.smoke"]])
def test_a_machine_whose_system_is_not_pinned_is_reported_with_its_line(
    workspace: Workspace, targets: list[str]
) -> None:
    with pytest.raises(ModelError) as caught:
        ensure_lock(workspace, print, targets=targets)
    [problem] = caught.value.problems
    assert (problem.path, problem.where) == ("machines.arm.system", "infra.py:4")
    assert "aarch64-linux" in problem.message
    assert 'add "arm64" to the "architectures"' in (problem.hint or "")
    assert not workspace.lock_path.exists()
