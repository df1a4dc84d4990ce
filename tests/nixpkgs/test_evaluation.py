"""Evaluating a project with the real NixOS, as a user does: what is wrong with it, and what is evaluated again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from nixgen.render.resources import default_inputs

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs, pytest.mark.slow]

INFRA = """\
from nixgen import Machine, NixModule, Package, Project, Service, Test
NAMES = ["conflict", "unknown", "wrong-type", "recursion", "deep", "assertion", "unsupported", "good", "better"]
def machine(name):
    service = Service("api", command=[Package("hello").program, "-g", name])
    return Machine(name, services=[service], modules=[NixModule(f"modules/{name}.nix")])
machines = [machine(name) for name in NAMES]
project = Project("p", machines=machines, tests=[Test("both", machines=machines[-2:], script="pass")])
"""
MODULES = {
    "conflict": 'networking.hostName = "other";',
    "unknown": "services.ngnix.enable = true;",
    "wrong-type": 'networking.firewall.enable = "yes";',
    "recursion": "networking.domain = config.networking.domain;",
    "deep": "environment.variables.DEEP = let f = n: 1 + f (n + 1); in toString (f 0);",
    "assertion": 'assertions = [ { assertion = false; message = "port 80 is taken twice"; } ];',
    "unsupported": "environment.systemPackages = [ (pkgs.hello // { meta.platforms = [ ]; }) (pkgs.hello.overrideAttrs (_: { meta.platforms = [ ]; })) ];",
    "good": "",
    "better": "imports = [ ./shared.nix ];",
    "shared": "",
}  # fmt: skip
#: target → words of its message, and of where it is
WRONG = {
    "machines.conflict": ("networking.hostName", "modules/conflict.nix:3"),
    "machines.unknown": ("services.ngnix", "modules/unknown.nix:3"),
    "machines.wrong-type": ("networking.firewall.enable", "modules/wrong-type.nix:3"),
    "machines.recursion": ("infinite recursion encountered", "modules/recursion.nix:3"),
    "machines.deep": ("stack overflow", ""),
    "machines.assertion": ("Failed assertions:", "infra.py:5"),
    "machines.unsupported": ("is not ", "infra.py:5"),
}


@pytest.fixture(scope="module")
def nixgen(tmp_path_factory, command_line):
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "infra.py").write_text(INFRA)
    shutil.copy(default_inputs(), folder)
    (folder / "modules").mkdir()
    for name, text in MODULES.items():
        (folder / f"modules/{name}.nix").write_text(f"{{ config, pkgs, ... }}:\n{{\n  {text}\n}}\n")
    store = {f"NIX_{each}_DIR": str(folder / "nix" / each.lower()) for each in ("STORE", "STATE", "LOG")}  # fmt: skip
    return command_line(folder=folder, environment=store)


def dry_run(nixgen, *arguments: str, expect: int = 0):
    tree = f"nixpkgs={os.environ['NIXGEN_NIXPKGS']}"
    return nixgen(
        "build", "--dry-run", "--base", "nixpkgs", "--override-input", tree, *arguments, expect=expect
    )  # fmt: skip


@pytest.fixture(scope="module")
def rejected(nixgen):
    return dry_run(nixgen, "--json", expect=1)


def test_all_that_is_wrong_is_told_with_its_place(rejected) -> None:
    error = json.loads(rejected.stdout)
    assert error["message"] == f"{len(WRONG)} of 10 targets cannot be evaluated"
    assert "Traceback" not in rejected.stderr
    problems = {problem["path"]: problem for problem in error["problems"]}
    assert problems.keys() == WRONG.keys()
    for attr, (words, where) in WRONG.items():
        assert words in problems[attr]["message"]
        assert problems[attr]["where"].startswith(where)
        assert problems[attr]["hint"]
        assert len(problems[attr]["details"]) < 12
    assert any("port 80 is taken twice" in line for line in problems["machines.assertion"]["details"])  # fmt: skip
    assert "NIXPKGS_ALLOW_" in problems["machines.unsupported"]["hint"]


def test_the_whole_trace_is_there_with_debug(nixgen, rejected) -> None:
    done = dry_run(nixgen, "machines.conflict", "--debug", expect=1)
    assert "while evaluating" in done.stderr
    assert len(done.stderr.splitlines()) > 100


def evaluated(done) -> set[str]:
    """The targets that were evaluated, from lines such as ``evaluated 1/2 machines.web (3.4 s)``."""
    return {line.split()[2] for line in done.stderr.splitlines() if line.startswith("evaluated ")}


def test_what_is_sound_is_remembered_and_a_change_evaluates_what_it_reaches(
    nixgen, rejected
) -> None:
    sound = ("machines.good", "machines.better", "tests.both")
    assert evaluated(dry_run(nixgen, *sound)) == set()
    (nixgen.folder / "modules/shared.nix").write_text('{ networking.domain = "example.org"; }\n')
    done = dry_run(nixgen, *sound)
    assert evaluated(done) == {"machines.better", "tests.both"}
    assert done.stdout.count("would build") == 3
    results = json.loads(dry_run(nixgen, *sound, "--json").stdout)
    assert [target["attr"] for target in results["targets"]] == list(sound)
    for target in results["targets"]:
        assert target["status"] == "would build"
        assert Path(target["drv"]).is_file()
