"""Tests against a checkout of nixpkgs, named by ``NIXGEN_NIXPKGS``; evaluation only, nothing is built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from projects import generate_at

REPOSITORY = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("NIXGEN_NIXPKGS"):
        return
    missing = pytest.mark.skip(reason="NIXGEN_NIXPKGS does not name a checkout of nixpkgs")
    for item in items:
        if item.get_closest_marker("nixpkgs"):
            item.add_marker(missing)


class Tree:
    """The nixpkgs base on that checkout, with a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = folder / "shop"
        self.environment = {
            **os.environ,
            "NIX_STORE_DIR": str(folder / "store"),
            "NIX_STATE_DIR": str(folder / "state"),
            "NIX_LOG_DIR": str(folder / "log"),
        }

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                program,
                "--option",
                "build-users-group",
                "",
                "--option",
                "substituters",
                "",
                *arguments,
            ],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def source(self, body: str, *, package_names: str = "{ }", system: str = "x86_64-linux") -> str:
        """An expression with ``base`` and ``generated`` (of the shop) in scope."""
        if not self.shop.exists():
            shutil.copytree(REPOSITORY / "examples/shop", self.shop)
            generate_at(self.shop)
        return f"""
            let
              base = import {REPOSITORY}/nix/bases/nixpkgs {{
                system = "{system}";
                inputs.nixpkgs = {os.environ["NIXGEN_NIXPKGS"]};
                packageNames = {package_names};
              }};
              generated = {self.shop}/generated;
            in
            {body}
        """

    def instantiate(self, body: str, **options: str) -> str:
        """The .drv that ``body`` evaluates to."""
        done = self.run("nix-instantiate", "--expr", self.source(body, **options))
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    def fails(self, body: str, **options: str) -> str:
        done = self.run("nix-instantiate", "--expr", self.source(body, **options))
        assert done.returncode != 0, done.stdout
        return done.stderr

    def derivations(self, drv: str) -> dict[str, Any]:
        """Everything that is built on the way to a .drv: base name without hash → derivation, in the form of Nix 2.8.

        Newer ones put it all below ``derivations``, and structured attributes beside ``env`` instead of into it.
        """
        done = self.run(
            "nix",
            "--extra-experimental-features",
            "nix-command",
            "show-derivation",
            "--recursive",
            drv,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        shown = json.loads(done.stdout)
        found = shown.get("derivations", shown)
        for derivation in found.values():
            if "structuredAttrs" in derivation:
                derivation["env"]["__json"] = json.dumps(derivation["structuredAttrs"])
        return {Path(path).name.partition("-")[2]: derivation for path, derivation in found.items()}


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("nixpkgs"))
