"""``nixgen inputs options`` with the list of a documentation, which needs no Nix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

OPTIONS = {
    "services.web.enable": {"loc": ["services", "web", "enable"], "type": "boolean"},
    "services.web.port": {"loc": ["services", "web", "port"], "type": "signed integer"},
}
INFRA = """\
from nixgen import Machine, Project

web = Machine(
    "web",
    options={
        "services.web.enable": True,
        "services.web.prot": 1,
    },
)
project = Project("p", machines=[web])
"""


@pytest.fixture
def nixgen(tmp_path: Path, command_line: Callable[..., object]) -> object:
    (tmp_path / "infra.py").write_text(INFRA)
    (tmp_path / "options.json").write_text(json.dumps(OPTIONS))
    return command_line(folder=tmp_path)


def test_options_of_a_documentation_refuse_a_wrong_option(nixgen, tmp_path: Path) -> None:
    assert nixgen("generate").stdout.startswith("wrote")
    done = nixgen("inputs", "options", "--from", "options.json")
    assert done.stdout == "wrote   nixos-options.json: 2 options\n"
    assert done.stderr == "infra.py sets 1 option that it refuses; see: nixgen generate\n"
    for verb in ("generate", "list"):
        refused = nixgen(verb, expect=2).stderr
        assert "machines.web.options['services.web.prot']: NixOS has no option" in refused
        assert "at infra.py:7" in refused
        assert "did you mean services.web.port?" in refused
    (tmp_path / "infra.py").write_text(INFRA.replace("prot", "port"))
    nixgen("generate")
    assert nixgen("inputs", "options", "--from", "options.json").stdout.startswith("same ")


def test_each_form_has_its_json_document(nixgen) -> None:
    assert nixgen.document("inputs", "options", "--from", "options.json") == {
        "schema": "nixgen/options-report/1",
        "file": "nixos-options.json",
        "changed": True,
        "options": 2,
        "release": None,
        "pin": None,
        "complete": False,
        "modules": {},
    }
    assert nixgen.document("inputs", "options", "WEB", "port") == {
        "schema": "nixgen/options-found/1",
        "options": [{"option": "services.web.port", "type": "signed integer"}],
    }


@pytest.mark.parametrize(
    ("arguments", "status", "printed"),
    [
        (["web"], 2, "the project has no nixos-options.json"),
        (["--from", "infra.py"], 2, "infra.py is not JSON"),
        (["--from", "options.json", "web"], 2, "words search the list of options"),
        (["--from", "options.json", "--override-input", "nixpkgs=x"], 2, "two places"),
        (["--override-input", "nixpkgs=x"], 2, "x, given for the input 'nixpkgs', does not exist"),
    ],
)
def test_contradicting_options_are_refused(
    nixgen, arguments: list[str], status: int, printed: str
) -> None:
    done = nixgen("inputs", "options", *arguments, expect=status)
    assert printed in done.stderr
    assert "Traceback" not in done.stderr


def test_a_search_without_a_match_is_no_failure(nixgen) -> None:
    nixgen("inputs", "options", "--from", "options.json")
    done = nixgen("inputs", "options", "zzz")
    assert (done.stdout, done.stderr) == ("", "no option has zzz in its path\n")
