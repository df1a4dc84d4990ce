"""Secrets of a NixOS test: its script makes them, its machines read them, and no derivation has a value."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from projects import generate, generate_at

from nixgen.models import Generated, Machine, Project, Secret, Service, Test

pytestmark = [pytest.mark.real, pytest.mark.nixpkgs, pytest.mark.slow]

REPOSITORY = Path(__file__).parents[2]
VALUE = "correct horse battery staple"
TOKEN = Secret("token")
KEY = Secret("key", file="/var/lib/keys/100% own/ü")
ALPHABET = "ä'\"\\${1"


def _project() -> Project:
    web = Machine("web-1", services=[Service("api", command=["/bin/true"], secrets=[TOKEN, KEY])])
    db = Machine("db", services=[Service("db", command=["/bin/true"], secrets=[KEY])])
    secrets: dict[Secret, str | Generated] = {
        TOKEN: VALUE,
        KEY: Generated(length=64, alphabet=ALPHABET),
    }
    return Project("p", machines=[web, db], tests=[Test("t", machines=[web, db], secrets=secrets)])


@pytest.fixture(scope="module")
def derivations(tree: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that is built for the test, by name."""
    folder = tmp_path_factory.mktemp("secrets")
    generate(_project(), folder)
    drv = tree.instantiate(
        f'(import {folder}/generated {{ base = "nixpkgs"; system = "x86_64-linux"; '
        f"inputs.nixpkgs = {os.environ['NIXGEN_NIXPKGS']}; }}).tests.t"
    )
    return dict(tree.derivations(drv))


def _driver(derivations: dict[str, Any], folder: Path, **variables: str) -> dict[str, str]:
    """Run the test script up to its own first line, and QEMU's option in its start script.

    :return: What the option is, and the standard error of the script.
    """
    (script,) = (
        each["env"]["testScript"] for each in derivations.values() if "testScript" in each["env"]
    )
    prelude, start, _ = script.partition("start_all()")
    assert start
    options = {
        option
        for each in derivations.values()
        for option in re.findall(r"\$\{NIXGEN_SECRETS:\+[^}]*\}", each["env"].get("text", ""))
    }
    # the variables of the test's own process do not count
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), **variables}
    # the script removes its folder at its end
    copy = f"shutil.copytree(os.environ['NIXGEN_SECRETS'], {str(folder / 'copy')!r})\n"
    run = f"{prelude}\nimport os, shutil, subprocess\n{copy}" + "".join(
        f"subprocess.run(['bash', '-c', {'echo ' + option!r}], env=os.environ, check=True)\n"
        for option in sorted(options)
    )
    done = subprocess.run(
        [sys.executable, "-c", run], env=environment, capture_output=True, text=True, check=False
    )
    return {"options": done.stdout, "error": done.stderr}


def test_no_derivation_has_a_value(derivations: dict[str, Any]) -> None:
    assert any("nixgen_secrets" in str(each) for each in derivations.values())
    assert not [name for name, each in derivations.items() if VALUE in str(each)]


def test_the_script_makes_the_archives_that_qemu_hands_over(
    derivations: dict[str, Any], tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "token").write_text(f"{VALUE}\n")
    made = _driver(derivations, tmp_path, NIXGEN_SECRETS_DIR=str(given))
    assert made["error"] == ""
    contents: dict[str, dict[str, bytes]] = {}
    assert not list(tmp_path.glob("nixgen-secrets-*"))
    folder = tmp_path / "copy"
    assert folder.stat().st_mode & 0o077 == 0
    for archive in folder.iterdir():
        with tarfile.open(archive) as packed:
            contents[archive.name] = {
                member.name: packed.extractfile(member).read()  # type: ignore[union-attr]  # every member is a file
                for member in packed.getmembers()
                if (member.mode, member.uid, member.gid) == (0o400, 0, 0)
            }
    token, key = TOKEN.path.lstrip("/"), KEY.path.lstrip("/")
    web, db = sorted(contents.values(), key=len, reverse=True)
    assert web.keys() == {token, key}
    assert db == {key: web[key]}
    assert web[token] == f"{VALUE}\n".encode()
    assert len(web[key].decode()) == 64
    assert set(web[key].decode()) <= set(ALPHABET)
    handed_over = [shlex.split(line) for line in made["options"].splitlines()]
    # two start scripts of one name are one entry of `derivations`
    assert handed_over
    for option, value in handed_over:
        name, _, file = value.partition(",file=")
        assert (option, name) == ("-fw_cfg", "name=opt/nixgen/secrets")
        assert Path(file).parent.name.startswith("nixgen-secrets-")
        assert Path(file).name in contents


def test_a_given_value_that_is_missing_is_named(
    derivations: dict[str, Any], tmp_path: Path
) -> None:
    error = _driver(derivations, tmp_path)["error"]
    assert "the value of the secret 'token' is not in the Nix store" in error
    assert "NIXGEN_SECRETS_DIR=FOLDER" in error


def test_the_files_are_written_before_the_services(derivations: dict[str, Any]) -> None:
    (unit,) = {
        each["env"]["text"]
        for each in derivations.values()
        if "Description=Secrets of the test" in each["env"].get("text", "")
    }
    assert "Before=sysinit.target" in unit
    assert "DefaultDependencies=false" in unit


#: Stand-ins for the modules of sops-nix and agenix: the options that docs/secrets.md sets.
STAND_INS = {
    "sops-nix/modules/sops/default.nix": "sops",
    "agenix/modules/age.nix": "age",
}
_STAND_IN = """
{ lib, ... }:
{
  options.NAME = lib.mkOption { type = lib.types.attrsOf lib.types.unspecified; };
}
"""


@pytest.mark.parametrize("tool", ["sops", "agenix"])
def test_the_modules_of_the_page_reach_their_input(tree: Any, tool: str, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/secrets.md").read_text()
    module = page.partition(f"`hosts/{tool}.nix`:\n\n```nix\n")[2].partition("```")[0]
    assert module
    for file, option in STAND_INS.items():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(_STAND_IN.replace("NAME", option))
    shutil.copytree(REPOSITORY / "examples/secrets", tmp_path / "project")
    folder = tmp_path / "project"
    (folder / "hosts").mkdir()
    (folder / f"hosts/{tool}.nix").write_text(module)
    for encrypted in ("secrets.yaml", "api-token.age", "session-key.age"):
        (folder / encrypted).write_text("encrypted")
    (folder / "flake-inputs.json").write_text(
        json.dumps(
            {
                "schema": "nixgen/inputs/1",
                "inputs": {
                    name: {"type": "path", "path": f"../{name}"} for name in ("sops-nix", "agenix")
                },
            }
        )
    )
    infra = (folder / "infra.py").read_text()
    (folder / "infra.py").write_text(
        f"from nixgen import Environment, NixModule, Overlay\n{infra}".replace(
            "tests=[",
            f'environments=[Environment("prod", overlays=[Overlay(server, modules=[NixModule("hosts/{tool}.nix")])])], tests=[',
        )
    )
    generate_at(folder)
    expression = f"""
      (import {folder}/generated {{
        base = "nixpkgs";
        system = "x86_64-linux";
        environment = "prod";
        inputs.nixpkgs = {os.environ["NIXGEN_NIXPKGS"]};
      }}).machines.server.config.{"sops" if tool == "sops" else "age"}.secrets
    """
    arguments = ("--eval", "--strict", "--json", "--read-write-mode", "--expr", expression)
    done = tree.run("nix-instantiate", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    secrets = json.loads(done.stdout)
    assert secrets.keys() == {"api-token", "session-key"}
    assert secrets["session-key"]["path"] == "/var/lib/keys/session"
