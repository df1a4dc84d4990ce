"""Evaluation by nix-eval-jobs: the same targets, errors and progress as by nix-instantiate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_nix
import pytest

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Blame, Evaluated, Limits, Tree, commands, evaluate
from nixgen.driver.evaluate import events as seen
from nixgen.programs.command import Completed
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.testing import ScriptedRunner

RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return fake_nix.install(monkeypatch, tmp_path / "bin", "nix-instantiate", "nix-eval-jobs")


def run(*attrs: str, runner: Runner | None = None, **more: Any) -> tuple[Evaluated, list[Any]]:
    events: list[Any] = []
    found = evaluate(
        Tree(file=Path("/p/generated/default.nix"), base="nixpkgs"),
        [f"machines.{attr}" for attr in attrs],
        runner=runner or SubprocessRunner(grace=0.5),
        options=NixOptions(),
        limits=Limits(workers=3, memory=3 << 30),
        observe=events.append,
        **more,
    )
    return found, events


def test_one_process_evaluates_all_targets(programs: Path) -> None:
    found, events = run("a", "chatty", "wrong", "c")
    assert [target.attr for target in found.targets] == [
        "machines.a",
        "machines.chatty",
        "machines.c",
    ]
    assert found.targets[0].drv == "/nix/store/machines.a.drv"
    assert list(found.errors) == ["machines.wrong"]
    assert found.errors["machines.wrong"].message == "machines.wrong is wrong"
    assert len(fake_nix.started(programs)) == 1
    messages = [event.text for event in events if isinstance(event, seen.EvaluationMessage)]
    assert messages == ["trace: a value"]
    done = [event for event in events if isinstance(event, seen.TargetEvaluated)]
    assert [event.attr for event in done] == ["machines.c", "machines.chatty", "machines.a"]
    assert {event.seconds for event in done} == {None}


def test_targets_that_are_left_over_are_evaluated_by_nix_instantiate(programs: Path) -> None:
    """nix-eval-jobs ends when one of its workers dies, and does not say which target that was."""
    found, events = run("a", "killed", "c")
    assert [target.attr for target in found.targets] == ["machines.a", "machines.c"]
    assert "was killed" in found.errors["machines.killed"].message
    assert fake_nix.started(programs)[0] == ["machines.a", "machines.killed", "machines.c"]
    (messages,) = [event.text for event in events if isinstance(event, seen.EvaluationMessage)]
    assert messages == (
        "warning: nix-eval-jobs left 2 of 3 targets undone (while reading result for attrPath 't1', "
        "evaluation worker got killed by SIGKILL); going on with nix-instantiate"
    )


def test_without_keep_going_the_first_error_ends_the_evaluation(programs: Path) -> None:
    found, _ = run("a-sleep", "b-sleep", "c-sleep", "wrong", keep_going=False)
    assert not found.targets
    assert list(found.errors) == ["machines.wrong"]
    assert len(fake_nix.started(programs)) == 1


def test_the_command() -> None:
    command = commands.evaluate_jobs(
        NixOptions(), Tree(file=Path("/p/default.nix")), ["machines.a"], workers=3, memory=2 << 30
    )  # fmt: skip
    words = " ".join(command.argv)
    assert "--workers 3 --max-memory-size 2048" in words
    assert Path(command.argv[-10]).name == "jobs.nix"
    assert Path(command.argv[-10]).is_file()


@pytest.mark.parametrize("version", ["0.0.6"])
@pytest.mark.usefixtures("programs")
def test_recorded_output_of_every_version_is_understood(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output for a derivation with two outputs, a `throw`, and a missing attribute."""
    monkeypatch.setattr("nixgen.driver.evaluate.engine.eval_jobs_program", lambda: "x")
    recording = json.loads((RECORDINGS / f"nix-eval-jobs-{version}.json").read_text())
    completed = Completed(
        status=recording["status"],
        stdout="\n".join(recording["stdout"]).encode(),
        stderr="\n".join(recording["stderr"]).encode(),
    )
    runner = ScriptedRunner.of((("nix-eval-jobs", "..."), completed))
    found, _ = run(
        *recording["attrs"],
        runner=runner,
        blame=Blame(locate=lambda path, line: f"infra.py:{line}" if "/p/" in path else None),
    )
    runner.assert_finished()
    (target,) = found.targets
    assert target.attr == "machines.two-outputs"
    assert list(target.outputs) == ["doc", "out"]
    assert target.drv.endswith("-two-outputs.drv")
    errors = {attr: error.message for attr, error in found.errors.items()}
    assert errors == {
        "machines.thrown": "machines.thrown: this machine has no name",
        "machines.missing": "machines.missing: attribute 'x' missing",
    }
    assert found.errors["machines.missing"].where == "infra.py:8"
