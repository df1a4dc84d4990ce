"""What of the nixpkgs base can be checked without a nixpkgs: what it wants of one, and whom it calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BASE = Path(__file__).parents[2] / "nix/bases/nixpkgs"

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{ }", 'the input "nixpkgs" is not pinned'),
        ("{ nixpkgs = ./.; }", 'the input "nixpkgs" is no nixpkgs'),
    ],
)
def test_a_tree_that_is_none_is_said_in_words(tree, inputs, message):
    base = f'(import {BASE} {{ system = "x86_64-linux"; inputs = {inputs}; }})'
    done = tree.run("nix-instantiate", "--eval", "--expr", f"{base}.pkgs.hello")
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
