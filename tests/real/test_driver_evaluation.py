"""Evaluation by the real Nix; derivations go into a store of the test's own."""

import json
from pathlib import Path

import pytest

from nixgen.driver.capabilities import nix_identity, probe
from nixgen.driver.command import Command, Completed
from nixgen.driver.evaluation import Target, evaluate
from nixgen.driver.nix import NixOptions
from nixgen.driver.runner import SubprocessRunner
from nixgen.errors import EvaluationError, MissingToolError

pytestmark = pytest.mark.real

TREE = """\
{ base ? "debian", system ? builtins.currentSystem, inputs ? { }, environment ? null }:
let
  make = name: extra: derivation ({ inherit name system base; builder = "/none"; } // extra);
in
{
  machines.web = make "web" { mirrors = builtins.getEnv "NIXGEN_DEBIAN_MIRRORS"; };
  machines.with-dash = make "dash" { outputs = [ "out" "doc" ]; };
  machines.thrown = import ./machines/thrown.nix;
  machines.loop = let x = make "loop" { inherit (x) name; }; y = y; in y;
  machines.deep = let f = n: 1 + f (n + 1); in make "deep" { depth = f 0; };
  images.env = make "env" { environment = toString environment; };
}
"""
THROWN = """\
{
  type = "derivation";
  drvPath = throw "machines.web: option 'services.x' is not known\\nto the debian base";
}
"""


class Counting:
    def __init__(self) -> None:
        self.commands: list[Command] = []

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        return SubprocessRunner().run(command)

    def lines(self, command, on_line) -> Completed:
        raise NotImplementedError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch) -> Path:
    for name in ("STORE", "STATE", "LOG"):
        monkeypatch.setenv(f"NIX_{name}_DIR", str(tmp_path / "nix" / name.lower()))
    folder = tmp_path / "a project" / "generated"
    (folder / "machines").mkdir(parents=True)
    (folder / "default.nix").write_text(TREE)
    (folder / "machines/thrown.nix").write_text(THROWN)
    return folder


def run(tree: Path, *attrs: str, runner=None, **more) -> tuple[Target, ...]:
    return evaluate(
        tree / "default.nix",
        attrs,
        runner=runner or SubprocessRunner(),
        options=NixOptions.of_host(),
        **more,
    )


def test_all_targets_come_from_one_process(tree):
    runner = Counting()
    targets = run(tree, "machines.with-dash", "machines.web", "machines.web", runner=runner)
    assert len(runner.commands) == 1
    assert [target.attr for target in targets] == ["machines.with-dash", "machines.web"]
    assert list(targets[0].outputs) == ["doc", "out"]
    assert targets[0].out.endswith("-dash")
    assert Path(targets[1].drv).is_file()


def test_arguments_and_mirrors_reach_the_tree(tree):
    (first,) = run(tree, "images.env")
    (second,) = run(tree, "images.env", environment="staging", system="x-y", base="nixpkgs")
    text = Path(second.drv).read_text()
    assert all(word in text for word in ("staging", "x-y", "nixpkgs"))
    assert first.drv != second.drv
    mirrors = json.dumps({"debian": "http://127.0.0.1/debian"})
    (web,) = run(tree, "machines.web", mirrors=mirrors)
    assert "127.0.0.1" in Path(web.drv).read_text()


def test_a_throw_is_one_clear_report_with_the_users_line(tree):
    asked: list[tuple[str, int]] = []

    def locate(path: str, line: int) -> str | None:
        asked.append((path, line))
        return "infra.py:7" if path.endswith("thrown.nix") else None

    with pytest.raises(EvaluationError) as caught:
        run(tree, "machines.web", "machines.thrown", locate=locate)
    error = caught.value
    assert error.message == ("machines.thrown: machines.web: option 'services.x' is not known")
    assert error.details[0] == "to the debian base"
    assert error.where == "infra.py:7"
    assert not any("while evaluating" in line for line in error.details)


def test_the_origin_of_the_target_is_the_last_resort(tree):
    with pytest.raises(EvaluationError) as caught:
        run(tree, "machines.thrown", origins={"machines.thrown": "infra.py:3"})
    assert caught.value.where == "infra.py:3"


def test_debug_gives_the_whole_trace(tree):
    with pytest.raises(EvaluationError) as caught:
        run(tree, "machines.thrown", debug=True)
    assert any("while evaluating the target machines.thrown" in x for x in caught.value.details)


@pytest.mark.parametrize(
    ("attr", "message", "hint"),
    [
        ("machines.gone", "the generated tree has no target machines.gone", "--debug"),
        ("machines.loop", "infinite recursion", "refers to itself"),
        ("machines.deep", "stack overflow", "refers to itself"),
    ],
)
def test_what_cannot_be_evaluated_is_one_report(tree, attr, message, hint):
    with pytest.raises(EvaluationError, match=message) as caught:
        run(tree, "machines.web", attr)
    assert hint in caught.value.hint
    assert len(caught.value.details) < 3


def test_a_syntax_error_names_the_generated_line(tree):
    (tree / "default.nix").write_text("{ }:\n{ a = ; }\n")
    with pytest.raises(EvaluationError, match="syntax error") as caught:
        run(tree, "a")
    assert f"at {tree}/default.nix:2" in caught.value.details


def test_the_probe_is_remembered_and_damage_is_repaired(tmp_path):
    runner = Counting()
    found = probe(runner, tmp_path)
    assert found.implementation in {"nix", "lix"}
    assert found.system.endswith("-linux")
    count = len(runner.commands)
    assert probe(runner, tmp_path) == found
    assert len(runner.commands) == count
    (tmp_path / "capabilities.json").write_text("[]")
    assert probe(runner, tmp_path) == found
    assert len(runner.commands) > count


def test_no_nix_is_a_missing_tool(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingToolError) as caught:
        nix_identity()
    assert "apt-get install nix-bin" in caught.value.hint
