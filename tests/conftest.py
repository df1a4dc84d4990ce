"""Options and fixtures of the whole suite."""

from __future__ import annotations

import shutil

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="rewrite expected/ of the golden cases"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real tests need a real Nix; say so once, instead of failing a hundred times."""
    if shutil.which("nix-instantiate"):
        return
    missing = pytest.mark.skip(
        reason="Nix is not installed; scripts/test installs it (apt-get install nix-bin)"
    )
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(missing)
