"""The key of a target covers files, settings and variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nixgen.driver.evaluate.dependencies import DependencyGraph
from nixgen.driver.evaluate.key import nix_files, nix_settings, target_keys

SETTINGS: Mapping[str, object] = {"base": "debian", "nix": "n:1:2", "system": None}


def key(
    root: Path, row: bytes = b"[ ./a.nix ../flake-inputs.json ]", **changes: object
) -> str | None:
    graph = DependencyGraph(
        root=str(root),
        state=str(root / ".nixgen"),
        generated=str(root / "generated"),
        library=str(root / "generated/lib"),
        sources={},
    )
    keys = target_keys(
        {"machines.web": row},
        root / "generated/default.nix",
        graph=graph,
        settings={**SETTINGS, **changes},
    )
    return keys["machines.web"].key


def test_settings_and_files_count(tmp_path: Path) -> None:
    seen = [key(tmp_path)]
    assert key(tmp_path) == seen[0]
    others = ({"base": "nixpkgs"}, {"nix": "n:1:3"}, {"system": "x"}, {"mirrors": "{}"})
    seen += (key(tmp_path, **changes) for changes in others)
    (tmp_path / "flake-inputs.json").write_text("{}")
    seen.append(key(tmp_path))
    (tmp_path / "flake-inputs.json").write_text("{ }")
    seen.append(key(tmp_path))
    seen.append(key(tmp_path, b"./b.nix"))
    assert len(set(seen)) == len(seen)
    assert all(found and len(found) == 64 for found in seen)


def test_a_target_with_a_doubt_has_no_key(tmp_path: Path) -> None:
    assert key(tmp_path, b"builtins.currentTime") is None


@pytest.mark.parametrize(
    ("variables", "file"),
    [
        ({}, "/etc/nix/nix.conf"),
        ({"NIX_CONF_DIR": "/c"}, "/c/nix.conf"),
        ({"HOME": "/h"}, "/h/.config/nix/nix.conf"),
        ({"XDG_CONFIG_HOME": "/x"}, "/x/nix/nix.conf"),
        ({"XDG_CONFIG_DIRS": "/x:/y"}, "/y/nix/nix.conf"),
        ({"NIX_USER_CONF_FILES": "/u:/v"}, "/v"),
    ],
)
def test_the_configuration_files_of_nix(variables: dict[str, str], file: str) -> None:
    assert file in nix_files(variables)


def test_the_configuration_of_nix_counts(tmp_path: Path) -> None:
    def settings(**variables: str) -> Any:
        return nix_settings({"NIX_CONF_DIR": str(tmp_path), **variables})

    plain = settings()
    assert settings(HOME="/") == plain
    assert settings(LANG="C", NIX_SSHOPTS="-v") == plain, "which evaluation does not read"
    assert settings(NIX_CONFIG="system = x") != plain
    assert settings(NIXPKGS_ALLOW_UNFREE="1") != plain
    (tmp_path / "nix.conf").write_text("system = x")
    assert settings() != plain
