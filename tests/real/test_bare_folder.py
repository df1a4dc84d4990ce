"""A folder with nothing but infra.py: the pins that nixgen ships are the default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nixgen.render.resources import default_inputs

pytestmark = pytest.mark.real

INFRA = """\
from nixgen import Machine, Package, Project, Service

web = Service("web", command=[Package("busybox").program, "httpd", "-f"])
project = Project("bare", machines=[Machine("web", services=[web])])
"""


def test_it_generates_builds_and_shows_its_pins(command_line, tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(INFRA)
    nixgen = command_line(folder=tmp_path)
    folder = tmp_path
    assert not (folder / "flake-inputs.json").exists()
    nixgen("generate")
    assert "pins = ./lib/flake-inputs.json;" in (folder / "generated/default.nix").read_text()
    shipped = (folder / "generated/lib/flake-inputs.json").read_bytes()
    assert shipped == default_inputs().read_bytes()
    shown = nixgen.document("inputs", "show")
    assert shown["inputs"].keys() == json.loads(shipped)["inputs"].keys()
    nixgen("build", "--dry-run")
