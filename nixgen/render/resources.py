"""The Nix library, templates and default pins that ship with nixgen.

They lie beside the package in a checkout, and inside it in a wheel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "default_inputs",
    "library_files",
    "nix_library",
    "requirements",
    "template_folder",
]

_PACKAGE = Path(__file__).resolve().parent.parent


def _resource(name: str) -> Path:
    shipped = _PACKAGE / "_data" / name
    return shipped if shipped.exists() else _PACKAGE.parent / name


def template_folder() -> Path:
    """The folder of the templates of files that are not Nix."""
    return _resource("templates")


def nix_library() -> Path:
    """The folder of the Nix library that is copied into generated trees."""
    return _resource("nix")


def default_inputs() -> Path:
    """The flake-inputs.json that new projects start with."""
    return _resource("flake-inputs.json")


def requirements() -> tuple[str, ...]:
    """The attribute names of the programs that nixgen runs. The Nix library reads the same file."""
    return tuple(json.loads((nix_library() / "lib/requirements.json").read_text()))


def library_files() -> Iterator[Path]:
    """Every shipped file and folder that a generated tree depends on."""
    root = nix_library()
    yield root
    yield from root.rglob("*")
    yield default_inputs()
