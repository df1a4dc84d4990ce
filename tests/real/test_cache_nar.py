"""The NAR writer, compared with Nix's own over generated trees."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nixgen.cache.format.nar import nar_hash, write_nar

pytestmark = pytest.mark.real

# A file (contents, executable), a symlink's target, or a directory.
Tree: TypeAlias = "tuple[bytes, bool] | bytes | dict[bytes, Tree]"

# Names that sort differently by bytes, by locale and by code point are the interesting ones.
NAMES = st.one_of(
    st.sampled_from([b"a", b"A", b"_", b"a.b", b"a b", "ä".encode(), "😀".encode(), b"\xff"]),
    st.binary(min_size=1, max_size=20).filter(
        lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
    ),
)
LEAVES = st.one_of(
    st.tuples(st.binary(max_size=40), st.booleans()),
    st.binary(min_size=1, max_size=20).filter(lambda target: b"\0" not in target),
)
TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=5), max_leaves=12)


def plant(tree: Tree, path: Path) -> None:
    match tree:
        case (contents, executable):
            path.write_bytes(contents)
            path.chmod(0o755 if executable else 0o644)
        case bytes():
            path.symlink_to(os.fsdecode(tree))
        case _:
            path.mkdir()
            for name, inner in tree.items():
                plant(inner, path / os.fsdecode(name))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TREES, min_size=1, max_size=8))
def test_the_bytes_equal_those_of_nix(trees: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tree"
        # Many trees in one, so that a call of Nix covers many.
        plant({str(number).encode(): tree for number, tree in enumerate(trees)}, root)
        ours = b"".join(write_nar(root))
        dumped = subprocess.run(["nix-store", "--dump", root], capture_output=True, check=True)
        assert ours == dumped.stdout


def test_nix_restores_what_was_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    tree: Tree = {
        b"bin": {b"run": (b"#!/bin/sh\n", True), b"link": b"run", b"dangling": b"/nowhere"},
        b"empty": {},
        b"data": (bytes(range(256)) * 20_000, False),
    }
    plant(tree, source)
    copy = tmp_path / "copy"
    subprocess.run(["nix-store", "--restore", copy], input=b"".join(write_nar(source)), check=True)
    assert (copy / "bin/run").stat().st_mode & 0o111
    assert nar_hash(copy) == nar_hash(source)
    shutil.rmtree(copy)


def test_single_files_and_links(tmp_path: Path) -> None:
    plant((b"x", True), tmp_path / "file")
    plant(b"file", tmp_path / "link")
    for name in ("file", "link"):
        dumped = subprocess.run(
            ["nix-store", "--dump", tmp_path / name], capture_output=True, check=True
        )
        assert b"".join(write_nar(tmp_path / name)) == dumped.stdout
