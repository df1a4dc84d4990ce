"""The words and trees that ``--override-input`` takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nixgen.documents.inputs import Inputs
from nixgen.errors import UsageError
from nixgen.project.overrides import parse_overrides
from nixgen.render.resources import default_inputs


@pytest.fixture
def inputs() -> Inputs:
    return Inputs.read(default_inputs())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "nixpkgs"
    (tree / "nixos/lib").mkdir(parents=True)
    (tree / "default.nix").write_text("{ }\n")
    return tree


def test_an_override_is_an_absolute_path_by_the_name_of_its_input(
    inputs: Inputs, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tree)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for spelling in (str(tree), "nixpkgs", "./nixpkgs/", "link", "~/nixpkgs"):
        assert parse_overrides([f"nixpkgs={spelling}"], inputs) == {"nixpkgs": tree}
    assert parse_overrides([], inputs) == {}


@pytest.mark.parametrize(
    ("word", "says", "hint"),
    [
        ("kubenix", "takes NAME=PATH as one word, not 'kubenix'", "--override-input kubenix=PATH"),
        ("=/x", "takes NAME=PATH as one word", "nixpkgs=PATH"),
        ("nixpkgs=", "takes NAME=PATH as one word", "nixpkgs=PATH"),
        ("nixpgks={tmp}", "no input 'nixpgks'", "did you mean nixpkgs?"),
        ("zzz={tmp}", "no input 'zzz'", "there are kubenix, nixpkgs, systems"),
        ("debian={tmp}", "a lock of Debian packages", "there are"),
        ("kubenix={tmp}/none", "/none, given for the input 'kubenix', does not exist", "unpacked"),
        ("kubenix={tmp}/file", "/file, given for the input 'kubenix', is a file", "unpacked"),
        ("nixpkgs={tmp}", "is no nixpkgs tree: it has no default.nix and no nixos/lib", "checkout"),
    ],
)
def test_a_wrong_word_is_refused_with_its_reason(
    inputs: Inputs, tmp_path: Path, word: str, says: str, hint: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        parse_overrides([word.format(tmp=tmp_path)], inputs)
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert not caught.value.details


def test_every_wrong_word_is_reported_at_once(inputs: Inputs, tree: Path) -> None:
    words = ["what", "nixpgks=/no/such/tree", f"nixpkgs={tree}", f"nixpkgs={tree}"]
    with pytest.raises(UsageError) as caught:
        parse_overrides(words, inputs)
    said = "\n".join([caught.value.message, *caught.value.details])
    assert len(said.splitlines()) == 4
    for part in (
        "'what'",
        "no input 'nixpgks'",
        "/no/such/tree",
        "gives the input 'nixpkgs' twice",
    ):
        assert part in said


def test_an_input_of_the_base_can_be_given_without_a_pin(tmp_path: Path) -> None:
    document = {"schema": "nixgen/inputs/1", "inputs": {}}
    (tmp_path / "flake-inputs.json").write_text(json.dumps(document))
    (tmp_path / "default.nix").touch()
    (tmp_path / "nixos/lib").mkdir(parents=True)
    inputs = Inputs.read(tmp_path / "flake-inputs.json")
    assert parse_overrides([f"nixpkgs={tmp_path}"], inputs) == {"nixpkgs": tmp_path.resolve()}
