"""The flake, by a real Nix and without a nixpkgs: its lock is taken as it is, and what it names is what is evaluated."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from origins import Origins, git, serving, use_own_nix

pytestmark = pytest.mark.real

REV = "0123456789abcdef0123456789abcdef01234567"
HASH = "sha256-au/m3+EuBLoSzWUCb64a/MZq6QUtOV8oC0D9tY2scPQ="
INFRA = """
from nixgen import Machine, Package, Project
project = Project("p", packages=[Package("hello")], machines=[Machine("arm", system="aarch64-linux"), Machine("web")])
"""
#: enough of a nixpkgs for a package
NIXPKGS = {
    "default.nix": """
        { system, config, overlays }:
        {
          hello = derivation { name = "hello-${builtins.readFile ./text}"; inherit system; builder = "/none"; };
          lib = { };
        }
    """,
    "nixos/lib/eval-config.nix": "throw ''not here''",
}
HELLO = "packages.x86_64-linux.hello"


@frozen
class Project:
    """A generated project in a git repository."""

    folder: Path

    def nix(self, *words: object, expect: int | None = 0) -> str:
        """Its output, or what it says on the side when it may fail."""
        done = subprocess.run(
            [
                *("nix", "--extra-experimental-features", "nix-command flakes"),
                *("--option", "build-users-group", "", "--option", "substituters", ""),
                *map(str, words),
            ],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert expect in {None, done.returncode}, done.stderr[-3000:]
        return done.stdout if expect == 0 else done.stderr

    @property
    def lock(self) -> bytes:
        return (self.folder / "generated/flake.lock").read_bytes()

    def without_flake(self, attribute: str, *words: str) -> str:
        """The derivation that generated/default.nix has, on the nixpkgs base."""
        done = subprocess.run(
            [
                *("nix-instantiate", "--option", "build-users-group", ""),
                *("generated", "-A", attribute, "--argstr", "base", "nixpkgs"),
                *("--argstr", "system", "x86_64-linux", *words),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


class Make:
    """Makes projects with given pins."""

    def __init__(self, folder: Path, command_line: Any) -> None:
        self._folder = folder
        self._command_line = command_line

    def __call__(self, pins: Mapping[str, Mapping[str, object]], *, in_git: bool = True) -> Project:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "infra.py").write_text(INFRA)
        document = {"schema": "nixgen/inputs/1", "inputs": pins}
        (self._folder / "flake-inputs.json").write_text(json.dumps(document))
        self._command_line(folder=self._folder)("generate")
        if in_git:
            git("init", "--quiet", cwd=self._folder)
            git("add", ".", cwd=self._folder)
        return Project(self._folder)


@pytest.fixture
def origins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Origins:
    use_own_nix(monkeypatch, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Origins.make(tmp_path / "origins", NIXPKGS)


@pytest.fixture
def make(tmp_path: Path, command_line: Any, origins: Origins) -> Make:
    return Make(tmp_path / "project", command_line)


def locked(pin: Mapping[str, Any]) -> dict[str, Any]:
    return {"rev": REV, "narHash": HASH, "lastModified": 1700000000, **pin}


PINS = {
    "debian": {
        "type": "debian",
        "suite": "bookworm",
        "architectures": ["amd64"],
        "lock": "debian.lock.json",
    },
    "nixpkgs": locked(
        {"type": "github", "owner": "NixOS", "repo": "nixpkgs", "ref": "nixos-25.11"}
    ),
    "github": locked({"type": "github", "owner": "a", "repo": "b", "host": "git.invalid"}),
    "gitlab": locked({"type": "gitlab", "owner": "a/c", "repo": "b", "host": "git.invalid"}),
    "plain": locked({"type": "gitlab", "owner": "a", "repo": "b"}),
    "git": locked({"type": "git", "url": "ssh://git@git.invalid/a.git", "ref": "main"}),
    "bare": locked({"type": "git", "url": "https://git.invalid/a.git"}),
    "tarball": {"type": "tarball", "url": "https://git.invalid/a.tar.gz?x=1", "narHash": HASH},
    "folder": {"type": "path", "path": "vendor"},
}


def test_the_lock_of_every_type_is_taken_as_it_is_and_nobody_is_asked(make: Make) -> None:
    project = make(PINS)
    before = project.lock
    for command in ("metadata", "lock"):
        project.nix("flake", command, "./generated")
        assert project.lock == before
    found = json.loads(project.nix("flake", "metadata", "--json", "./generated"))
    nodes = found["locks"]["nodes"]
    assert found["description"] == "The project p, generated by nixgen"
    assert {*nodes} == {*PINS} - {"debian", "folder"} | {"root"}
    for name in {*nodes} - {"root"}:
        assert nodes[name]["flake"] is False
        assert nodes[name]["locked"]["narHash"] == HASH
        assert nodes[name]["locked"].get("rev", REV) == REV
    assert nodes["nixpkgs"]["original"]["ref"] == "nixos-25.11"
    assert nodes["gitlab"]["original"]["owner"] == "a%2Fc"


def test_what_is_locked_is_what_is_evaluated(make: Make, origins: Origins) -> None:
    old = git_pin(origins)
    origins.change("second")
    with serving(origins.folder) as url:
        tarball = {
            "type": "tarball",
            "url": f"{url}/tree.tar.gz",
            "narHash": origins.nar_hash,
        }
        for pin, text in ((old, "first"), (tarball, "second"), (git_pin(origins), "second")):
            project = make({"nixpkgs": pin})
            before = project.lock
            name = project.nix("eval", "--raw", f"./generated#{HELLO}.name")
            assert name == f"hello-{text}"
            assert project.lock == before


def git_pin(origins: Origins) -> dict[str, Any]:
    return {
        "type": "git",
        "url": f"file://{origins.repo}",
        "ref": "main",
        "rev": origins.commit,
        "narHash": origins.nar_hash,
    }


@pytest.mark.parametrize("in_git", [True, False])
def test_with_an_overridden_input_nothing_is_fetched(
    make: Make, origins: Origins, *, in_git: bool
) -> None:
    project = make(PINS, in_git=in_git)
    if not in_git and "unsupported parameter 'dir'" in project.nix(
        "flake", "metadata", f"path:{project.folder}?dir=generated", expect=None
    ):
        pytest.skip("this Nix reads a flake in a folder of its source only from git")
    before = project.lock
    place = "./generated" if in_git else f"path:{project.folder}?dir=generated"
    drv = project.nix(
        *("eval", "--raw", "--override-input", "nixpkgs", f"path:{origins.tree}"),
        f"{place}#{HELLO}.drvPath",
    )
    assert drv == project.without_flake(
        "packages.hello", "--arg", "inputs", f"{{ nixpkgs = {origins.tree}; }}"
    )
    assert project.lock == before


def test_a_folder_below_the_project_is_read_where_it_lies(make: Make, origins: Origins) -> None:
    vendor = origins.folder.parent / "project/vendor"
    vendor.parent.mkdir()
    origins.tree.rename(vendor)
    project = make({"nixpkgs": {"type": "path", "path": "vendor"}})
    assert json.loads(project.lock)["nodes"] == {"root": {}}
    found = project.nix("eval", "--raw", f"./generated#{HELLO}.drvPath")
    assert found == project.without_flake("packages.hello")


def test_outputs_are_there_for_every_system_of_a_machine(make: Make) -> None:
    project = make(PINS)  # names alone need no nixpkgs
    names = {
        output: json.loads(
            project.nix(
                *("eval", "--json", f"./generated#{output}"),
                *("--apply", "builtins.mapAttrs (_: builtins.attrNames)"),
            )
        )
        for output in ("packages", "apps")
    }
    assert names == {
        "packages": {
            "aarch64-linux": ["hello", "machine-arm"],
            "x86_64-linux": ["hello", "machine-web"],
        },
        "apps": {"aarch64-linux": ["vm-arm"], "x86_64-linux": ["vm-web"]},
    }
    configurations = project.nix(
        *("eval", "--json", "./generated#nixosConfigurations"),
        *("--apply", "builtins.attrNames"),
    )
    assert json.loads(configurations) == ["arm", "web"]


def test_a_project_without_nixpkgs_has_no_flake(make: Make) -> None:
    project = make({"debian": PINS["debian"]})
    names = {file.name for file in (project.folder / "generated").iterdir()}
    assert "default.nix" in names
    assert not {"flake.nix", "flake.lock"} & names
