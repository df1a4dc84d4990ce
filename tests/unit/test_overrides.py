"""``--override-input``: what it takes, and when the tree behind it is another."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nixgen.errors import UsageError
from nixgen.inputs import Inputs
from nixgen.overrides import fingerprint, parse_overrides
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


def test_a_tree_by_its_name(
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
def test_names_what_is_wrong(
    inputs: Inputs, tmp_path: Path, word: str, says: str, hint: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught:
        parse_overrides([word.format(tmp=tmp_path)], inputs)
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert not caught.value.details


def test_all_that_is_wrong_is_said_at_once(inputs: Inputs, tree: Path) -> None:
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


def test_what_the_base_reads_can_be_given_without_a_pin(tmp_path: Path) -> None:
    document = {"schema": "nixgen/inputs/1", "inputs": {}}
    (tmp_path / "flake-inputs.json").write_text(json.dumps(document))
    (tmp_path / "default.nix").touch()
    (tmp_path / "nixos/lib").mkdir(parents=True)
    inputs = Inputs.read(tmp_path / "flake-inputs.json")
    assert parse_overrides([f"nixpkgs={tmp_path}"], inputs) == {"nixpkgs": tmp_path.resolve()}


def test_a_changed_tree_has_another_fingerprint(tree: Path) -> None:
    def touched() -> str:
        (tree / "default.nix").touch()
        os.utime(tree / "default.nix", ns=(0, 7))
        return fingerprint(tree)

    seen = [fingerprint(tree), touched()]
    assert touched() == seen[-1]
    (tree / "default.nix").write_text("{ a = 1; }\n")
    seen.append(fingerprint(tree))
    (tree / "nixos/lib/more.nix").write_text("1")
    seen.append(fingerprint(tree))
    (tree / "nixos/lib/more.nix").chmod(0o755)
    seen.append(fingerprint(tree))
    (tree / "nixos/lib/more.nix").rename(tree / "nixos/more.nix")
    seen.append(fingerprint(tree))
    (tree / "nixos/empty").mkdir()
    seen.append(fingerprint(tree))
    assert len(set(seen)) == len(seen)


def test_what_git_keeps_beside_a_tree_does_not_count(tree: Path) -> None:
    before = fingerprint(tree)
    (tree / ".git").mkdir()
    (tree / ".git/index").write_text("x")
    assert fingerprint(tree) == before


def test_a_store_path_is_its_own_fingerprint(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIX_STORE_DIR", str(tree.parent))
    assert fingerprint(tree) == str(tree)


def test_a_tree_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="/gone cannot be read: No such file"):
        fingerprint(tmp_path / "gone")
