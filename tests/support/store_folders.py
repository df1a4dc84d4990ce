"""Folders in which a Nix has made a store."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["make_writable"]


def make_writable(folder: Path) -> None:
    """Let the owner of a folder remove it: store paths are read-only.

    A folder that goes away meanwhile, as a temporary one of Nix may, is left out.
    """
    for directory, _, _ in os.walk(folder):
        with contextlib.suppress(FileNotFoundError):
            Path(directory).chmod(0o700)
