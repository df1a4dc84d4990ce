"""The flake on a real nixpkgs: every output evaluates, offline, and is what default.nix gives without flakes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from origins import git, use_own_nix

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs, pytest.mark.slow]

INFRA = """
from nixgen import Image, Machine, Package, Port, Project, Service, Source, Test

hello = Package("hello")
web = Service("web", command=[hello.program, "--greeting", Source("site")], ports=[Port(80)])
machine = Machine("web", services=[web])
project = Project(
    "p",
    machines=[machine],
    images=[Image("web", service=web)],
    tests=[Test("up", machines=[machine])],
    packages=[hello],
    tools=[Package("ripgrep")],
)
"""
SYSTEM = "x86_64-linux"
FEATURES = ("--extra-experimental-features", "nix-command flakes")
PACKAGES = {"hello": "packages.hello", "image-web": "images.web", "machine-web": "machines.web"}
OUTPUTS = {**PACKAGES, "test-up": "tests.up"}


class Flake:
    """A generated project in a git repository, whose nixpkgs is the checkout of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # once in the store, it need not be read anew for every command
        add = ("nix", *FEATURES, "store", "add-path", "--name", "source")
        self.tree = self.run(*add, os.environ["NIXGEN_NIXPKGS"]).strip()

    def run(self, *words: str) -> str:
        alone = ("--option", "build-users-group", "", "--option", "substituters", "")
        done = subprocess.run(
            [words[0], *alone, *words[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def nix(self, *words: str, place: str = "./generated") -> str:
        override = ("--override-input", "nixpkgs", f"path:{self.tree}")
        return self.run("nix", *FEATURES, *words[:-1], *override, f"{place}{words[-1]}")

    def value(self, output: str, function: str = "x: x") -> Any:
        return json.loads(self.nix("eval", "--json", "--apply", function, f"#{output}"))


@pytest.fixture(scope="module")
def flake(tmp_path_factory: pytest.TempPathFactory, command_line: Any) -> Iterator[Flake]:
    folder = tmp_path_factory.mktemp("flake")
    project = folder / "p"
    (project / "site").mkdir(parents=True)
    (project / "site/index.html").write_text("Hello")
    (project / "infra.py").write_text(INFRA)
    nixgen = command_line(folder=project)
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_own_nix(monkeypatch, folder)
        nixgen("init", project.parent / "pins")
        (project.parent / "pins/flake-inputs.json").rename(project / "flake-inputs.json")
        nixgen("generate")
        git("init", "--quiet", cwd=project)
        git("add", ".", cwd=project)
        lock = (project / "generated/flake.lock").read_bytes()
        yield Flake(project)
        assert (project / "generated/flake.lock").read_bytes() == lock


def test_what_there_is(flake: Flake) -> None:
    found = json.loads(flake.nix("flake", "show", "--json", ""))
    # since 2.30, Nix says more of it around
    outputs = found.get("inventory", found)
    kinds = {
        output: {name: each["type"] for name, each in outputs[output][SYSTEM].items()}
        for output in ("packages", "checks", "devShells", "apps")
    }
    assert kinds == {
        "packages": dict.fromkeys(OUTPUTS, "derivation"),
        "checks": {"up": "derivation"},
        "devShells": {"default": "derivation"},
        "apps": {"test-up": "app", "vm-web": "app"},
    }
    assert outputs["formatter"][SYSTEM]["type"] == "derivation"
    assert outputs["nixosConfigurations"]["web"]["type"] == "nixos-configuration"


def test_nix_finds_nothing_wrong(flake: Flake) -> None:
    flake.nix("flake", "check", "--no-build", "")


def test_it_gives_what_default_nix_gives(flake: Flake) -> None:
    mine = flake.value(f"packages.{SYSTEM}", "builtins.mapAttrs (_: each: each.drvPath)")
    argv = [
        *("nix-instantiate", "--argstr", "base", "nixpkgs", "--argstr", "system", SYSTEM),
        *("--arg", "inputs", f"{{ nixpkgs = {flake.tree}; }}", "generated"),
    ]
    for attribute in (*OUTPUTS.values(), "shells.default"):
        argv += ["-A", attribute]
    *targets, shell = flake.run(*argv).split()
    assert mine == dict(zip(OUTPUTS, targets, strict=True))
    assert flake.value(f"checks.{SYSTEM}.up.drvPath") == mine["test-up"]
    assert flake.value(f"devShells.{SYSTEM}.default.drvPath") == shell


def test_a_machine_is_a_whole_nixos(flake: Flake) -> None:
    found = flake.value(
        "nixosConfigurations.web",
        f"""
        nixos: {{
          toplevel = nixos.config.system.build.toplevel.drvPath;
          host = nixos.config.networking.hostName;
          command = nixos.config.systemd.services.web.serviceConfig.ExecStart;
          described = nixos.options.networking.hostName.description != null;
          system = nixos.pkgs.system or "{SYSTEM}";
        }}
        """,
    )
    assert found["toplevel"] == flake.value(f"packages.{SYSTEM}.machine-web.drvPath")
    assert found["host"] == "web"
    assert found["command"].endswith("-site")
    assert found["described"]
    assert found["system"] == SYSTEM


def test_what_can_be_run(flake: Flake) -> None:
    programs = flake.value(f"apps.{SYSTEM}", "builtins.mapAttrs (_: app: app.program)")
    assert programs["vm-web"].endswith("-nixos-vm/bin/run-web-vm")
    assert programs["test-up"].endswith("/bin/nixos-test-driver")


def test_the_shell_has_what_nixgen_needs_and_the_tools(flake: Flake) -> None:
    names = flake.value(
        f"devShells.{SYSTEM}.default",
        "shell: map (each: each.pname or each.name) shell.nativeBuildInputs",
    )
    for program in ("git", "openssh", "qemu", "squashfs", "ripgrep"):
        assert any(name.startswith(program) for name in names), names
    assert names[-1] == flake.value(f"formatter.{SYSTEM}", "each: each.pname or each.name")
