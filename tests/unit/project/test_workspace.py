"""A project opens only if the files that it names exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from nixgen.errors import ModelError
from nixgen.project.workspace import Workspace

INFRA = """\
from nixgen import Environment, Machine, NixModule, Overlay, Project

web = Machine("web", modules=[
    NixModule("nix/there.nix"),
    NixModule("nix/whole"),
    NixModule("nix/gone.nix"),
])
staging = Environment("staging", overlays=[Overlay(web, modules=[NixModule("nix/empty")])])
project = Project("p", machines=[web], environments=[staging])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "infra.py").write_text(INFRA)
    for name in ("nix/there.nix", "nix/whole/default.nix", "nix/empty/other.nix"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{ }\n")
    return tmp_path


def test_missing_modules_are_reported_with_their_lines(folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        Workspace.open(folder)
    assert [(found.path, found.message, found.where) for found in caught.value.problems] == [
        ("machines.web.modules[2]", "there is no nix/gone.nix in the project", "infra.py:6"),
        (
            "environments.staging.overlays[0].modules[0]",
            "the folder nix/empty has no default.nix",
            "infra.py:8",
        ),
    ]


def test_the_project_opens_when_its_modules_exist(folder: Path) -> None:
    (folder / "nix/gone.nix").write_text("{ }\n")
    (folder / "nix/empty/default.nix").write_text("{ }\n")
    assert Workspace.open(folder).project.name == "p"
