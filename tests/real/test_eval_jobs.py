"""nix-eval-jobs gives the results of nix-instantiate, where it is installed.

Output of other versions is recorded for tests/unit.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Evaluated, Limits, Tree, evaluate
from nixgen.driver.evaluate.events import EvaluationMessage, TargetEvaluated
from nixgen.programs.runner import SubprocessRunner

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        shutil.which("nix-eval-jobs") is None,
        reason="nix-eval-jobs is not on PATH; Debian has no package of it",
    ),
]

TREE = """\
{ base ? "debian", system ? builtins.currentSystem, inputs ? { }, environment ? null }:
let
  make = name: extra: derivation ({ inherit name system; builder = "/none"; } // extra);
in
{
  machines.web = make "web" { inherit base; };
  machines.with-dash = make "dash" { outputs = [ "out" "doc" ]; };
  machines.chatty = builtins.trace "a word" (make "chatty" { });
  machines.thrown = make "thrown" { value = throw "no value"; };
  machines.missing = make "missing" { inherit ({ }) x; };
  machines.deep = let f = n: 1 + f (n + 1); in make "deep" { depth = f 0; };
}
"""
SOUND = ["machines.web", "machines.with-dash", "machines.chatty"]
WRONG = ["machines.thrown", "machines.missing"]


@pytest.fixture
def run(tmp_path: Path):
    (tmp_path / "default.nix").write_text(TREE)

    def evaluated(*attrs: str, observe=lambda _: None) -> Evaluated:
        return evaluate(
            Tree(file=tmp_path / "default.nix", base="nixpkgs"),
            attrs,
            runner=SubprocessRunner(),
            options=NixOptions.of_host(),
            limits=Limits(workers=2, memory=2 << 30),
            observe=observe,
        )

    return evaluated


def summary(found: Evaluated) -> list[tuple[str, str, str | None]]:
    return [(attr, error.message, error.where) for attr, error in found.errors.items()]


def test_both_programs_give_the_same_targets_and_errors(run, monkeypatch) -> None:
    events: list[object] = []
    theirs = run(*SOUND, *WRONG, observe=events.append)
    messages = [event.text for event in events if isinstance(event, EvaluationMessage)]
    assert messages == ["trace: a word"], "and nothing was left undone"
    done = [event for event in events if isinstance(event, TargetEvaluated)]
    assert {event.seconds for event in done} == {None}
    monkeypatch.setattr("nixgen.driver.evaluate.engine.eval_jobs_program", lambda: None)
    ours = run(*SOUND, *WRONG)
    assert theirs.targets == ours.targets
    assert summary(theirs) == summary(ours)
    assert [attr for attr, _, _ in summary(ours)] == WRONG


def test_a_dying_worker_costs_one_target(run) -> None:
    found = run(*SOUND, "machines.deep")
    assert [target.attr for target in found.targets] == SOUND
    assert "stack overflow" in found.errors["machines.deep"].message
