"""nixfmt, where there is one: what it makes of Nix files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

WANTED = pytest.mark.skipif(
    shutil.which("nixfmt") is None,
    reason="nixfmt is not installed (nix profile install nixpkgs#nixfmt, or cargo install nixfmt_rs)",
)


def formatted(texts: Sequence[str], folder: Path) -> list[str]:
    """Each text in the form of RFC 166, all by one process.

    :param folder: of one's own.
    """
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number}.nix" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text.encode())
    done = subprocess.run(["nixfmt", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [file.read_bytes().decode() for file in files]
