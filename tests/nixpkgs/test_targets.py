"""Every target of the examples, and one of each feature, evaluates to a derivation of the real NixOS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from kubernetes_render import KUBENIX
from projects import generate_at

from nixgen.lowering import target_origins

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs, pytest.mark.slow]

HERE = Path(__file__).parent
EXAMPLES = (HERE.parents[1] / "examples").glob("*/infra.py")
PROJECTS = [*sorted(infra.parent for infra in EXAMPLES), HERE / "features"]


@pytest.mark.parametrize("original", PROJECTS, ids=lambda path: path.name)
def test_every_target_is_a_derivation(original: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("generated", ".nixgen")
    shutil.copytree(original, tmp_path, dirs_exist_ok=True, ignore=ignored)
    targets = [
        target
        for target in target_origins(generate_at(tmp_path))
        if "kubenix" in KUBENIX or not target.startswith("kubernetes.")
    ]
    expression = f"""
      let
        tree = import {tmp_path}/generated {{
          base = "nixpkgs";
          system = "x86_64-linux";
          inputs = {{ {" ".join(f"{name} = {tree};" for name, tree in KUBENIX.items())} }};
        }};
        find = builtins.foldl' (set: name: set.${{name}}) tree;
        path = target: builtins.filter builtins.isString (builtins.split "\\\\." target);
      in
      map (target: (find (path target)).drvPath) (builtins.fromJSON (builtins.readFile {tmp_path}/targets.json))
    """
    (tmp_path / "targets.json").write_text(json.dumps(targets))
    done = subprocess.run(
        [
            *("nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode"),
            *("--option", "build-users-group", "", "--option", "substituters", ""),
            *("--expr", expression),
        ],
        env={**os.environ, "NIX_STORE_DIR": str(tmp_path / "store"), "NIX_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    derivations = dict(zip(targets, json.loads(done.stdout), strict=True))
    for target, drv in derivations.items():
        assert Path(drv).suffix == ".drv"
        assert Path(drv).is_file(), target
    assert len(set(derivations.values())) == len(targets)
