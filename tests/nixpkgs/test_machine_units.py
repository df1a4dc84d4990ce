"""The unit files of the Debian base say what NixOS's own say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.nixpkgs

_HERE = Path(__file__).parent
_MACHINE = _HERE.parents[1] / "nix/bases/debian/machine"
# Where the bases differ on purpose: NixOS points programs at its own locales and time zones, and each base
# appends its own tools to PATH.
_OWN_OF_NIXOS = ("LOCALE_ARCHIVE=", "TZDIR=", "PATH=")


@pytest.fixture(scope="module")
def units() -> Any:
    argv = ["nix-instantiate", "--eval", "--strict", "--json", str(_HERE / "machine_units.nix")]
    argv += ["--arg", "nixpkgs", os.environ["NIXGEN_NIXPKGS"], "--arg", "machine", str(_MACHINE)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def _meaning(text: str) -> dict[str, dict[str, list[str]]]:
    """Section → key → values in order; the order of different keys has no meaning (systemd.syntax(7))."""
    sections: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in filter(None, text.splitlines()):
        if line.startswith("["):
            section = line
            continue
        key, _, value = line.partition("=")
        if key != "Environment" or not value.strip('"').startswith(_OWN_OF_NIXOS):
            plain = re.sub(r"/nix/store/[^/]*-unit-script-[^/]*/", "/script/", value)
            sections[section][key].append(plain.rstrip())
    return {name: dict(keys) for name, keys in sections.items()}


@pytest.mark.parametrize("name", ["full", "plain", "scripted"])
def test_a_unit_means_what_nixos_makes_of_the_same_module(units: Any, name: str) -> None:
    ours, theirs = _meaning(units["debian"][name]), _meaning(units["nixos"][name])
    assert ours == theirs
    assert "ExecStart" in ours["[Service]"]
