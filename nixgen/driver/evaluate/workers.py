"""Evaluating with Nix's own ``nix-instantiate``: several of them beside each other, in bounded memory.

Each process gets a run of targets and tells of each as it is done, so nothing is lost when it has to be ended: when it
has grown past its share of the memory, which Nix never gives back, when another has taken over what comes next, or when a
target is wrong, which ends an evaluation. Its rest is then begun anew.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping

from attrs import define, field, frozen

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import commands
from nixgen.driver.evaluate.findings import Findings
from nixgen.driver.evaluate.limits import Limits
from nixgen.driver.evaluate.refusal import Blame, Ending, refusal
from nixgen.driver.evaluate.schedule import Schedule
from nixgen.driver.evaluate.target import Target
from nixgen.driver.evaluate.tree import Tree
from nixgen.driver.messages.trace import parse_trace
from nixgen.errors import EvaluationError
from nixgen.programs.runner import Runner

__all__ = ["Workers"]

#: Of a worker's share, what Nix's collector may fill before it begins to collect: collecting is a third of an evaluation.
_HEAP = 0.6
#: Nix's own choice of that, at most
_USUAL_HEAP = 384 << 20
#: and what it says when it cannot have that much address space
_CANNOT_START = b"Can't start up: not enough memory"
#: the part of its share at which a process is ended between two targets, which loses nothing
_FULL = 0.8
#: lines of a trace that are kept: its first ones and its last ones
_TRACE = 4000


class _Left(Exception):  # noqa: N818 - these end a process of ours, and are caught where it was started
    """Between two targets: another has taken over what comes next, or the process is full."""


class _Cancelled(Exception):  # noqa: N818
    pass


class _NoHeap(Exception):  # noqa: N818
    """Nix's collector cannot have all at once what it might need in the end."""


class _TooLarge(Exception):  # noqa: N818
    """:param share: that it has outgrown."""

    def __init__(self, share: int) -> None:
        super().__init__()
        self.share = share


@frozen(kw_only=True)
class Workers:
    """
    :param limits: how many, and how much memory they have together.
    :param findings: gets what comes of it.
    """

    tree: Tree
    runner: Runner
    options: NixOptions
    limits: Limits
    blame: Blame
    findings: Findings

    def evaluate(self, schedule: Schedule) -> None:
        """Evaluate all that is scheduled. What is wrong with a target, or with everything, is in the findings.

        Whatever is raised meanwhile, as by Ctrl-C, ends the processes first.
        """
        threads = [
            threading.Thread(
                target=self._work, args=(schedule, number), name=f"evaluation {number}"
            )
            for number in schedule.workers
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self.findings.cancel()
            for thread in threads:
                thread.join()
            raise

    def _work(self, schedule: Schedule, number: int) -> None:
        try:
            while not self.findings.cancelled and (attrs := schedule.run(number)):
                process = _Process(workers=self, schedule=schedule, number=number)
                if not process.evaluate(attrs[: commands.MOST_TARGETS]):
                    return
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise it to
            self.findings.fail(error)


@define(kw_only=True)
class _Process:
    """One ``nix-instantiate``.

    :param share: bytes that it may hold.
    """

    workers: Workers
    schedule: Schedule
    number: int
    _token: str = field(factory=lambda: secrets.token_hex(8), init=False)
    _current: str | None = field(default=None, init=False)
    _sound: bool = field(default=False, init=False)
    _began: float = field(default=0.0, init=False)
    _done: int = field(default=0, init=False)
    _resident: int = field(default=0, init=False)
    _first: list[bytes] = field(factory=list, init=False)
    _last: deque[bytes] = field(factory=lambda: deque(maxlen=_TRACE), init=False)

    @property
    def _findings(self) -> Findings:
        return self.workers.findings

    @property
    def _share(self) -> int:
        return self.workers.limits.memory // self.schedule.active

    def evaluate(self, attrs: tuple[str, ...]) -> bool:
        """Evaluate these in their order, as far as it goes; whether the worker goes on with what is left."""
        heap = self._heap()
        try:
            return self._evaluate(attrs, heap)
        except _NoHeap:
            # Something limits the address space (`ulimit -v`, strict overcommitment), and not the memory alone.
            return self._evaluate(attrs, {})

    def _evaluate(self, attrs: tuple[str, ...], heap: Mapping[str, str]) -> bool:
        tree = self.workers.tree
        self._last.clear()
        command = commands.report_targets(
            self.workers.options,
            file=tree.file,
            arguments=tree.arguments,
            attrs=attrs,
            token=self._token,
            variables={**tree.variables, **heap},
        )
        try:
            done = self.workers.runner.lines(command, self._line, on_tick=self._tick)
        except _Left:
            return True
        except _Cancelled:
            return False
        except _TooLarge as ended:
            # meanwhile others may have ended, and left their shares
            return ended.share < self._share or self._without_room(Ending.TOO_LARGE)
        ending = Ending.of_status(done.status)
        if heap and not done.ok and any(line == _CANNOT_START for line in self._last):
            raise _NoHeap
        if ending is Ending.KILLED or (not done.ok and parse_trace(self._said).memory):
            return self._without_room(ending)
        if not done.ok:
            self._refuse(ending)
        elif self._current is not None or not self._sound:
            raise _untold()
        return True

    def _heap(self) -> Mapping[str, str]:
        size = int(self._share * _HEAP)
        if size <= _USUAL_HEAP or "GC_INITIAL_HEAP_SIZE" in os.environ:
            return {}
        return {"GC_INITIAL_HEAP_SIZE": str(size)}

    def _line(self, line: bytes) -> None:
        marker = b"trace: %s " % self._token.encode()
        if not line.startswith(marker):
            self._other(line)
            return
        word, _, rest = line.removeprefix(marker).decode().partition(" ")
        match word:
            case "tree":
                self._sound = True
            case "begin":
                if self._current is not None:
                    raise _untold()
                if self._findings.cancelled:
                    raise _Cancelled
                full = self._done and self._resident > self._share * _FULL
                if full or not self.schedule.begin(self.number, rest):
                    raise _Left
                self._current, self._began = rest, time.monotonic()
                self._last.clear()
                self._findings.begin(rest)
            case "done":
                attr, _, value = rest.partition(" ")
                target = Target.parse(attr, value)
                seconds = time.monotonic() - self._began
                if self.schedule.done(attr):
                    self._findings.evaluated(target, seconds)
                self._current = None
                self._done += 1
            case _:
                pass

    def _other(self, line: bytes) -> None:
        if self._first or line.lstrip().startswith(b"error:"):
            (self._first if len(self._first) < _TRACE else self._last).append(line)
        else:
            self._findings.said(line)
            self._last.append(line)  # a crash is told in words of its own

    @property
    def _said(self) -> bytes:
        return b"\n".join([*self._first, *self._last])

    def _tick(self, pid: int) -> None:
        if self._findings.cancelled:
            raise _Cancelled
        self._resident = resident_memory(pid)
        share = self._share
        if self._resident > share:
            raise _TooLarge(share)

    def _without_room(self, ending: Ending) -> bool:
        """Memory ran out. What the process has done is kept, and what it held is free again."""
        if self._done:
            return True
        if self.schedule.give_back(self.number):
            return False
        self._refuse(ending)
        return True

    def _refuse(self, ending: Ending) -> None:
        error = refusal(
            self._current, self._said, ending, blame=self.workers.blame, memory=self._share
        )
        if self._current is None or not isinstance(error, EvaluationError):
            raise error
        if self.schedule.done(self._current):
            self._findings.refused(self._current, error)


def _untold() -> EvaluationError:
    return EvaluationError(
        "Nix evaluated the generated tree and told nothing of it",
        hint="this Nix may not be one that nixgen knows; `nixgen doctor` says which it is",
    )


def resident_memory(process: int) -> int:
    """Bytes that a process holds; 0 when it has ended (proc(5), ``statm``)."""
    try:
        with open(f"/proc/{process}/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
