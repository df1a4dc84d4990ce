"""Evaluation by the real Nix, into a temporary store."""

import json
import os
import resource
from pathlib import Path

import pytest

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.commands.versions import nix_identity, probe
from nixgen.driver.evaluate import Blame, Evaluated, Limits, Target, Tree, evaluate
from nixgen.driver.evaluate.events import EvaluationMessage, TargetEvaluated
from nixgen.driver.evaluate.mentions import find_mentions
from nixgen.errors import EvaluationError, MissingToolError
from nixgen.programs.command import Command, Completed
from nixgen.programs.runner import SubprocessRunner

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
  machines.large = make "large" { size = toString (builtins.length (builtins.genList (n: { inherit n; s = toString n; }) 30000000)); };
  machines.chatty = builtins.trace "a word" (builtins.trace { a = 1; } (make "chatty" { }));
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

    def lines(self, command, on_line, **more) -> Completed:
        self.commands.append(command)
        return SubprocessRunner().lines(command, on_line, **more)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch) -> Path:
    for name in ("STORE", "STATE", "LOG"):
        monkeypatch.setenv(f"NIX_{name}_DIR", str(tmp_path / "nix" / name.lower()))
    folder = tmp_path / "a project" / "generated"
    (folder / "machines").mkdir(parents=True)
    (folder / "default.nix").write_text(TREE)
    (folder / "machines/thrown.nix").write_text(THROWN)
    return folder


@pytest.fixture(autouse=True)
def without_eval_jobs(monkeypatch) -> None:
    monkeypatch.setattr("nixgen.driver.evaluate.engine.eval_jobs_program", lambda: None)


def evaluated(tree: Path, *attrs: str, runner=None, given=None, **more) -> Evaluated:
    return evaluate(
        Tree(file=tree / "default.nix", **given or {}),
        attrs,
        runner=runner or SubprocessRunner(),
        options=NixOptions.of_host(),
        **{"limits": Limits(workers=1, memory=4 << 30)} | more,
    )


def run(tree: Path, *attrs: str, **more) -> tuple[Target, ...]:
    return evaluated(tree, *attrs, **more).require()


def test_one_process_evaluates_all_targets(tree):
    runner = Counting()
    targets = run(tree, "machines.with-dash", "machines.web", "machines.web", runner=runner)
    assert len(runner.commands) == 1
    assert [target.attr for target in targets] == ["machines.with-dash", "machines.web"]
    assert list(targets[0].outputs) == ["doc", "out"]
    assert targets[0].out.endswith("-dash")
    assert Path(targets[1].drv).is_file()


def test_arguments_and_mirrors_reach_the_tree(tree):
    (first,) = run(tree, "images.env")
    given = {"environment": "staging", "system": "x-y", "base": "nixpkgs"}
    (second,) = run(tree, "images.env", given=given)
    text = Path(second.drv).read_text()
    assert all(word in text for word in ("staging", "x-y", "nixpkgs"))
    assert first.drv != second.drv
    mirrors = json.dumps({"debian": "http://127.0.0.1/debian"})
    (web,) = run(tree, "machines.web", given={"mirrors": mirrors})
    assert "127.0.0.1" in Path(web.drv).read_text()


def test_a_throw_is_one_error_with_the_users_line(tree):
    asked: list[tuple[str, int]] = []

    def locate(path: str, line: int) -> str | None:
        asked.append((path, line))
        return "infra.py:7" if path.endswith("thrown.nix") else None

    with pytest.raises(EvaluationError) as caught:
        run(tree, "machines.web", "machines.thrown", blame=Blame(locate=locate))
    error = caught.value
    assert error.message == ("machines.thrown: machines.web: option 'services.x' is not known")
    assert error.details[0] == "to the debian base"
    assert error.where == "infra.py:7"
    assert not any("while evaluating" in line for line in error.details)


def test_without_a_better_place_the_error_names_the_line_of_the_target(tree):
    with pytest.raises(EvaluationError) as caught:
        run(tree, "machines.thrown", blame=Blame(origins={"machines.thrown": "infra.py:3"}))
    assert caught.value.where == "infra.py:3"


def test_debug_adds_the_whole_trace(tree):
    with pytest.raises(EvaluationError) as caught:
        run(tree, "machines.thrown", blame=Blame(debug=True))
    assert any("while evaluating the target machines.thrown" in x for x in caught.value.details)


@pytest.mark.parametrize(
    ("attr", "message", "hint"),
    [
        ("machines.gone", "the generated tree has no target machines.gone", "--debug"),
        ("machines.loop", "infinite recursion", "refers to itself"),
        ("machines.deep", "stack overflow", "only nested very deeply"),
    ],
)
def test_a_target_that_cannot_be_evaluated_is_one_error(tree, attr, message, hint):
    with pytest.raises(EvaluationError, match=message) as caught:
        run(tree, "machines.web", attr)
    assert hint in caught.value.hint
    assert len(caught.value.details) < 3


def test_a_syntax_error_names_the_generated_line(tree):
    (tree / "default.nix").write_text("{ }:\n{ a = ; }\n")
    with pytest.raises(EvaluationError, match="syntax error") as caught:
        run(tree, "a")
    assert f"at {tree}/default.nix:2" in caught.value.details


def test_a_wrong_target_does_not_hide_the_others(tree):
    found = evaluated(tree, "machines.thrown", "machines.web", "machines.loop", "images.env")
    assert [target.attr for target in found.targets] == ["machines.web", "images.env"]
    assert list(found.errors) == ["machines.thrown", "machines.loop"]


def test_a_target_that_needs_too_much_memory_is_refused_and_the_others_finish(tree):
    found = evaluated(
        tree, "machines.web", "machines.large", "images.env", limits=Limits(workers=1, memory=200 << 20)
    )  # fmt: skip
    assert [target.attr for target in found.targets] == ["machines.web", "images.env"]
    error = found.errors["machines.large"]
    assert error.message == "machines.large: its evaluation needs more than 200M of memory"
    assert "--eval-memory" in error.hint


def test_two_processes_give_the_results_of_one(tree):
    attrs = ["machines.web", "machines.with-dash", "images.env", "machines.chatty"]
    runner = Counting()
    limits = Limits(workers=2, memory=4 << 30)
    assert run(tree, *attrs, runner=runner, limits=limits) == run(tree, *attrs)
    assert len(runner.commands) >= 2


def test_a_limit_of_the_address_space_is_respected(tree):
    before = resource.getrlimit(resource.RLIMIT_AS)
    limits = Limits(workers=1, memory=64 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, before[1]))
    try:
        assert run(tree, "machines.web", limits=limits)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_traces_and_progress_are_reported(tree):
    events = []
    run(tree, "machines.chatty", "machines.web", observe=events.append)
    messages = [event.text for event in events if isinstance(event, EvaluationMessage)]
    assert messages == ["trace: a word", "trace: { a = 1; }"]
    done = [event.attr for event in events if isinstance(event, TargetEvaluated)]
    assert done == ["machines.chatty", "machines.web"]


PATHS = r"""
# ./comment
/* ./comment */ { x, y ? ./default }: {
  a = [ ./a ../b/c.nix ./. /abs/d e/f (./g) ];
  b = "${./i} \${./no} $${./no} ./no ${ if true then "${./j}" else ./k }";
  c = '' ./no ''${./no} ${./l} ''' ./no $${./no} ''\n ${./m} '' + ./n;
  d = x // { inherit y; } // import ./o { p = ./p; };
  e = a: https://example.org/no + ./q;
  f = 1 / 2 + x /y;
  g' = ./r; "./no" = ./s;
}
"""


def test_mentions_are_the_paths_that_nix_parses(tmp_path):
    """The parser of Nix prints an expression without comments, and its strings in another form."""
    file = tmp_path / "paths.nix"
    file.write_text(PATHS)
    done = SubprocessRunner().run(Command(argv=("nix-instantiate", "--parse", str(file))))
    assert done.ok, done.stderr
    theirs = {os.path.normpath(path) for path in find_mentions(done.stdout).paths}
    ours = {os.path.normpath(tmp_path / path) for path in find_mentions(PATHS.encode()).paths}
    assert ours == theirs
    assert len(theirs) == 19


def test_the_capabilities_are_remembered_and_a_damaged_file_is_replaced(tmp_path):
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


def test_a_missing_nix_is_a_missing_tool(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingToolError) as caught:
        nix_identity()
    assert "apt-get install nix-bin" in caught.value.hint
