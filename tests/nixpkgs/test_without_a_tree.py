"""What of the nixpkgs base can be checked without a nixpkgs: where it comes from, and whom it calls."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

BASE = Path(__file__).parents[2] / "nix/bases/nixpkgs"

pytestmark = pytest.mark.real


@pytest.fixture
def pin(tree, tmp_path):
    """Evaluate a copy of the base in a project with the given flake-inputs.json."""

    def evaluate(inputs, *, generated):
        library = tmp_path / ("generated/lib" if generated else "nix")
        shutil.copytree(BASE, library / "bases/nixpkgs")
        if inputs is not None:
            (tmp_path / "flake-inputs.json").write_text(json.dumps({"inputs": inputs}))
        return tree.run("nix-instantiate", "--eval", str(library / "bases/nixpkgs/pin.nix"))

    return evaluate


@pytest.mark.parametrize("generated", [False, True])
def test_the_tree_is_checked_against_the_pins_hash(pin, generated):
    """Seen by a hash that Nix refuses before it asks the network."""
    nixpkgs = {"owner": "NixOS", "repo": "nixpkgs", "rev": "0" * 40, "narHash": "sha256-none"}
    done = pin({"nixpkgs": nixpkgs}, generated=generated)
    assert done.returncode != 0
    assert "'none'" in done.stderr


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "there is no flake-inputs.json"),
        ({"debian": {}}, "flake-inputs.json pins no nixpkgs"),
    ],
)
def test_no_pin_is_said_in_words(pin, inputs, message):
    done = pin(inputs, generated=True)
    assert done.returncode != 0
    assert message in done.stderr


def test_newer_trees_run_the_modules_themselves(tree):
    """The modules go to testers.runNixOSTest as they are, below defaults that give way."""
    (tree.folder / "newer.nix").write_text(f"""
        import {BASE}/test.nix {{
          pkgs = {{
            lib.mkDefault = value: {{ default = value; }};
            testers.runNixOSTest = module: module;
            nixosTest = throw "the old way";
          }};
        }} {{ name = "smoke"; modules = [ "given" ]; }}
    """)
    done = tree.run("nix-instantiate", "--eval", "--strict", "--json", "newer.nix")
    assert done.returncode == 0, done.stderr
    defaults, *modules = json.loads(done.stdout)["imports"]
    assert modules == ["given"]
    assert defaults["name"] == {"default": "smoke"}
    assert defaults["skipLint"] == defaults["skipTypeCheck"] == {"default": True}
