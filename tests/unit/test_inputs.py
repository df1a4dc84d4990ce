"""flake-inputs.json: every way it can be wrong is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nixgen.errors import LockError
from nixgen.inputs import Inputs
from nixgen.render.resources import default_inputs

GOOD = json.loads(default_inputs().read_text())


def read(tmp_path: Path, text: str) -> Inputs:
    path = tmp_path / "flake-inputs.json"
    path.write_text(text)
    return Inputs.read(path)


def test_the_shipped_pins_are_sound() -> None:
    inputs = Inputs.read(default_inputs())
    assert inputs.debian.version == "bookworm"
    assert inputs.pins["nixpkgs"].type == "github"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "is not JSON"),
        ("[]", "schema None"),
        ('{"schema": "nixgen/inputs/9"}', "'nixgen/inputs/9'"),
        ('{"schema": "nixgen/inputs/1", "inputs": 3}', "inputs: must be an object"),
        ('{"schema": "nixgen/inputs/1", "inputs": {"a": {"type": "svn"}}}', "inputs.a.type"),
        ('{"schema": "nixgen/inputs/1", "inputs": {"a": 1}}', "inputs.a: must be an object"),
        (
            '{"schema": "nixgen/inputs/1", "inputs": {"a": {"type": "path"}}}',
            "inputs.a.path: is missing",
        ),
        (
            '{"schema": "nixgen/inputs/1", "inputs": {"a": {"type": "path", "path": "x", "y": "z"}}}',
            "inputs.a.y",
        ),
    ],
)
def test_names_what_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(LockError) as caught:
        read(tmp_path, text)
    assert named in "\n".join([caught.value.message, *caught.value.details])
    assert caught.value.exit_status == 2


def test_reports_every_wrong_hash_at_once(tmp_path: Path) -> None:
    document = json.loads(json.dumps(GOOD))
    document["inputs"]["nixpkgs"]["narHash"] = "sha256-short"
    document["inputs"]["kubenix"]["rev"] = "main"
    with pytest.raises(LockError) as caught:
        read(tmp_path, json.dumps(document))
    assert [line.split(":")[0] for line in caught.value.details] == [
        "inputs.kubenix.rev",
        "inputs.nixpkgs.narHash",
    ]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="does not exist"):
        Inputs.read(tmp_path / "flake-inputs.json")
