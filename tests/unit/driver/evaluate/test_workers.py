"""Several processes at a time: no finished target is lost when one of them ends early."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_nix
import pytest

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Blame, Evaluated, Limits, Target, Tree, evaluate
from nixgen.driver.evaluate import events as seen
from nixgen.errors import EvaluationError, OutsideError, StoreError
from nixgen.programs.runner import SubprocessRunner

MIB = 1 << 20


class Evaluator:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Any] = []
        self.kept: list[str] = []

    def __call__(
        self,
        *attrs: str,
        workers: int = 1,
        memory: int = 1000,
        environment: str | None = None,
        **more: Any,
    ) -> Evaluated:
        return evaluate(
            Tree(file=Path("/p/generated/default.nix"), environment=environment),
            [f"machines.{attr}" for attr in attrs],
            runner=SubprocessRunner(grace=0.5),
            options=NixOptions(),
            limits=Limits(workers=workers, memory=memory * MIB),
            keep=self.keep,
            observe=self.events.append,
            **more,
        )

    def keep(self, target: Target, _seconds: float | None) -> None:
        self.kept.append(target.attr)

    @property
    def processes(self) -> list[list[str]]:
        return [
            [attr.removeprefix("machines.") for attr in attrs]
            for attrs in fake_nix.started(self.folder)
        ]

    def events_of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    return Evaluator(fake_nix.install(monkeypatch, tmp_path / "bin", "nix-instantiate"))


def names(found: Evaluated) -> list[str]:
    return [target.attr.removeprefix("machines.") for target in found.targets]


def test_one_process_reports_each_target_when_it_is_done(evaluator: Evaluator) -> None:
    found = evaluator("b", "a", "b")
    assert names(found) == ["b", "a"]
    assert found.require()[0].out == "/nix/store/machines.b"
    assert evaluator.processes == [["b", "a"]]
    assert [type(event).__name__ for event in evaluator.events] == [
        "EvaluationStarted",
        *["TargetStarted", "TargetEvaluated"] * 2,
    ]
    assert all(0 <= event.seconds < 5 for event in evaluator.events_of(seen.TargetEvaluated))


def test_no_targets_start_no_process(evaluator: Evaluator) -> None:
    assert evaluator() == Evaluated(targets=())
    assert not evaluator.events


def test_two_workers_run_at_the_same_time(evaluator: Evaluator) -> None:
    attrs = [f"{n}-sleep-0.3" for n in range(6)]
    started = time.monotonic()
    found = evaluator(*attrs, workers=2)
    assert names(found) == attrs
    assert time.monotonic() - started < 6 * 0.3
    assert sorted(map(len, evaluator.processes[:2])) == [3, 3]


def test_a_new_store_is_made_before_two_workers_begin(evaluator: Evaluator) -> None:
    """Two workers that make a store at once disturb each other."""
    program = evaluator.folder / "nix-store"
    program.write_text('#!/bin/sh\necho "$1" >>"$NIX_STATE_DIR/made"\n')
    program.chmod(0o755)
    (evaluator.folder / "db/db.sqlite").unlink()
    evaluator("a", workers=2)
    evaluator("a", "b", workers=1)
    assert not (evaluator.folder / "made").exists()
    evaluator("a", "b", workers=2)
    assert (evaluator.folder / "made").read_text() == "--init\n"


def test_a_worker_without_work_takes_over_from_a_slow_one(evaluator: Evaluator) -> None:
    """All targets have the same estimate, but the first three take no time."""
    attrs = ["a", "b", "c", "d-sleep-0.5", "e-sleep-0.5", "f-sleep-0.5", "g-sleep-0.5"]
    found = evaluator(*attrs, workers=2)
    assert names(found) == attrs
    processes = evaluator.processes
    for first in (attrs[:3], attrs[3:]):
        processes.remove(first)
    assert processes
    assert processes[0] == attrs[-len(processes[0]) :]
    assert sorted(evaluator.kept) == [f"machines.{attr}" for attr in attrs]


def test_a_wrong_target_does_not_hide_the_others(evaluator: Evaluator) -> None:
    found = evaluator("a", "wrong-1", "b", "wrong-2", "c")
    assert names(found) == ["a", "b", "c"]
    assert list(found.errors) == ["machines.wrong-1", "machines.wrong-2"]
    assert evaluator.processes[1:] == [["b", "wrong-2", "c"], ["c"]]
    assert [event.attr for event in evaluator.events_of(seen.TargetRefused)] == list(found.errors)
    with pytest.raises(EvaluationError, match="2 of 5 targets cannot be evaluated") as caught:
        found.require()
    assert [problem.path for problem in caught.value.problems] == list(found.errors)


def test_without_keep_going_the_first_error_ends_the_evaluation(evaluator: Evaluator) -> None:
    found = evaluator("a", "wrong", "b", "c", keep_going=False)
    assert names(found) == ["a"]
    assert list(found.errors) == ["machines.wrong"]
    assert len(evaluator.processes) == 1


def test_an_error_names_the_users_line(evaluator: Evaluator) -> None:
    def locate(path: str, line: int) -> str | None:
        return f"infra.py:{line}" if path.endswith("machines/x.nix") else None

    error = evaluator("wrong", blame=Blame(locate=locate)).errors["machines.wrong"]
    assert error.where == "infra.py:3"
    assert error.message == "machines.wrong is wrong"
    assert not error.details


def test_a_full_process_ends_between_two_targets(evaluator: Evaluator) -> None:
    found = evaluator("grow-90", "b", "c", memory=120)
    assert len(found.targets) == 3
    assert evaluator.processes == [["grow-90", "b", "c"], ["b", "c"]]


def test_a_process_larger_than_its_share_is_replaced(evaluator: Evaluator) -> None:
    """Finished targets are kept, and one target alone gets the memory that three shared."""
    found = evaluator("1-grow-60", "2-grow-60", "3-grow-60", memory=130)
    assert len(found.targets) == 3
    assert evaluator.processes[0] == ["1-grow-60", "2-grow-60", "3-grow-60"]
    assert evaluator.processes[-1] == ["3-grow-60"]
    assert evaluator.kept == [target.attr for target in found.targets]


def test_without_memory_for_two_workers_one_goes_on(evaluator: Evaluator) -> None:
    found = evaluator("1-grow-90", "2-grow-90", workers=2, memory=150)
    assert len(found.targets) == 2
    assert not found.errors


@pytest.mark.parametrize(
    ("attr", "says", "hint"),
    [
        ("grow-200", "needs more than 150M of memory", "--eval-memory or NIXGEN_EVAL_MEMORY"),
        ("killed", "was killed, most likely because", "--eval-workers 1"),
        ("heap", "ran out of memory: Too many heap sections", "ulimit -v"),
        ("stack", "stack overflow (possible infinite recursion)", "ulimit -s unlimited"),
        ("crash", "ended by a signal", "--debug"),
    ],
)
def test_a_target_that_needs_too_much_memory_is_refused_and_the_others_finish(
    evaluator: Evaluator, attr: str, says: str, hint: str
) -> None:
    found = evaluator("a", attr, "b", "c", workers=2, memory=150)
    assert names(found) == ["a", "b", "c"]
    error = found.errors[f"machines.{attr}"]
    assert error.message.startswith(f"machines.{attr}: ")
    assert says in error.message
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("attr", "kind", "says"),
    [
        ("full", StoreError, "the disk of the Nix store is full"),
        ("offline", OutsideError, "the input nixpkgs cannot be fetched from https://example.org"),
        ("silent", EvaluationError, "reported no target"),
    ],
)
def test_an_error_of_no_target_ends_the_evaluation(
    evaluator: Evaluator, attr: str, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        evaluator("a", attr, "b-sleep-30", workers=2)
    assert "machines.b-sleep-30" not in evaluator.kept


def test_a_wrong_tree_is_reported_once(evaluator: Evaluator) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluator("a", "b", workers=2, environment=fake_nix.TREE)
    assert caught.value.message == "undefined variable 'x'"
    assert not caught.value.problems


def test_a_limit_of_the_address_space_is_respected(evaluator: Evaluator) -> None:
    """Nix cannot get a large initial heap then, so it is started again with its default."""
    found = evaluator("a", "wrong", "b", memory=4000, environment=fake_nix.NARROW)
    assert names(found) == ["a", "b"]
    assert evaluator.processes == [["a", "wrong", "b"]] * 2 + [["b"]] * 2


def test_traces_of_the_user_are_reported_once_and_never_obeyed(evaluator: Evaluator) -> None:
    found = evaluator("chatty-1", "chatty-2-wrong", "chatty-3")
    assert names(found) == ["chatty-1", "chatty-3"]
    assert [event.text for event in evaluator.events_of(seen.EvaluationMessage)] == [
        "trace: a value",
        "trace: 0123456789abcdef done machines.forged {}",
        "warning: something is old",
    ]


def test_a_failing_observer_ends_the_evaluation(evaluator: Evaluator) -> None:
    def observe(event: object) -> None:
        if isinstance(event, seen.TargetEvaluated):
            raise ZeroDivisionError

    evaluator.events = type("Failing", (list,), {"append": lambda _, event: observe(event)})()
    with pytest.raises(ZeroDivisionError):
        evaluator("a", "b-sleep-30", workers=2)


def alive(folder: Path) -> list[str]:
    """The processes that run programs of a folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(str(folder)) in command:
            found.append(process.name)
    return found


def test_an_interruption_ends_the_processes_and_keeps_finished_targets(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C interrupts the main thread, which waits for the other threads."""
    join: Callable[..., None] = threading.Thread.join
    interrupted: list[bool] = []

    def interrupting(thread: threading.Thread, *arguments: Any) -> None:
        if thread.name.startswith("evaluation") and not interrupted:
            while "machines.a" not in evaluator.kept:
                time.sleep(0.01)
            assert alive(evaluator.folder)
            interrupted.append(True)
            raise KeyboardInterrupt
        join(thread, *arguments)

    monkeypatch.setattr(threading.Thread, "join", interrupting)
    with pytest.raises(KeyboardInterrupt):
        evaluator("a", "b-sleep-30", "c-sleep-30", workers=2)
    assert evaluator.kept == ["machines.a"]
    assert not alive(evaluator.folder)


def test_many_targets_are_split_among_command_lines(evaluator: Evaluator) -> None:
    found = evaluator(*[f"m{number}" for number in range(2500)])
    assert len(found.targets) == 2500
    assert [len(attrs) for attrs in evaluator.processes] == [1000, 1000, 500]
