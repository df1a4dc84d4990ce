"""The fingerprint of a folder changes with the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nixgen.files.fingerprint import fingerprint


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "nixpkgs/nixos/lib").mkdir(parents=True)
    (tmp_path / "nixpkgs/default.nix").write_text("{ }\n")
    return tmp_path / "nixpkgs"


def test_a_changed_tree_has_another_fingerprint(tree: Path) -> None:
    def touched() -> str:
        (tree / "default.nix").touch()
        os.utime(tree / "default.nix", ns=(0, 7))
        return fingerprint(str(tree))

    seen = [fingerprint(str(tree)), touched()]
    assert touched() == seen[-1]
    (tree / "default.nix").write_text("{ a = 1; }\n")
    seen.append(fingerprint(str(tree)))
    (tree / "nixos/lib/more.nix").write_text("1")
    seen.append(fingerprint(str(tree)))
    (tree / "nixos/lib/more.nix").chmod(0o755)
    seen.append(fingerprint(str(tree)))
    (tree / "nixos/lib/more.nix").rename(tree / "nixos/more.nix")
    seen.append(fingerprint(str(tree)))
    (tree / "nixos/empty").mkdir()
    seen.append(fingerprint(str(tree)))
    assert len(set(seen)) == len(seen)


def test_the_folder_of_git_does_not_count(tree: Path) -> None:
    before = fingerprint(str(tree))
    (tree / ".git").mkdir()
    (tree / ".git/index").write_text("x")
    assert fingerprint(str(tree)) == before


def test_a_store_path_is_its_own_fingerprint(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIX_STORE_DIR", str(tree.parent))
    assert fingerprint(str(tree)) == str(tree)


def test_a_tree_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(str(tmp_path / "gone"))
