"""Evaluate by several processes of ``nix-instantiate`` at a time, in limited memory.

Each process gets a run of targets and reports each target when it is done. So nothing is lost when
the process ends early, and a new process continues the run. It ends early when it holds more than
its share of the memory, which Nix never gives back; when another worker has taken over the rest of
its run; or when a target is wrong, because an error ends an evaluation.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping

from attrs import define, field, frozen

from nixgen.driver.evaluate import commands
from nixgen.driver.evaluate.refusal import Ending, refusal
from nixgen.driver.evaluate.schedule import Schedule
from nixgen.driver.evaluate.session import Session
from nixgen.driver.evaluate.target import Target
from nixgen.driver.messages.trace import parse_trace
from nixgen.errors import EvaluationError

__all__ = ["Workers"]

#: The part of its share that a process fills before Nix's garbage collector runs. Collection takes a
#: third of an evaluation otherwise.
_HEAP = 0.6
#: The largest initial heap that Nix chooses itself, in bytes.
_DEFAULT_HEAP = 384 << 20
#: The message of the collector if it cannot have that much address space.
_CANNOT_START = b"Can't start up: not enough memory"
#: The part of its share at which a process is ended between two targets, where nothing is lost.
_FULL = 0.8
#: The number of lines of a trace that are kept at its beginning, and at its end.
_TRACE = 4000


class _RunEnded(Exception):  # noqa: N818 - these end a process, and are caught where it was started
    """Between two targets: another worker has taken over the rest, or the process is full."""


class _Cancelled(Exception):  # noqa: N818 - a signal between threads, and no error
    """The whole evaluation ends."""


class _NoHeap(Exception):  # noqa: N818 - a signal between threads, and no error
    """The collector cannot get the address space of its initial heap."""


class _TooLarge(Exception):  # noqa: N818 - a signal between threads, and no error
    """The process holds more memory than its share.

    :param share: the bytes that it was allowed to hold.
    """

    def __init__(self, share: int) -> None:
        super().__init__()
        self.share = share


@frozen
class Workers:
    """Evaluates targets by processes of ``nix-instantiate``, one thread for each.

    :param session: the settings and the results of the evaluation.
    """

    session: Session

    def evaluate(self, schedule: Schedule) -> None:
        """Evaluate all targets of a schedule. Errors are put into the results.

        An exception in this thread, as by Ctrl-C, ends the processes before it goes on.

        :param schedule: the targets of each worker.
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
            self.session.results.cancelled.set()
            for thread in threads:
                thread.join()
            raise

    def _work(self, schedule: Schedule, number: int) -> None:
        try:
            while not self.session.results.cancelled.is_set() and (attrs := schedule.run(number)):
                process = _Process(session=self.session, schedule=schedule, number=number)
                if not process.evaluate(attrs[: commands.MOST_TARGETS]):
                    return
        except BaseException as error:  # noqa: BLE001 - nobody would catch it in a thread
            self.session.results.fail(error)


@define(kw_only=True)
class _Process:
    """One process of ``nix-instantiate``.

    :param session: the settings and the results of the evaluation.
    :param schedule: the targets of each worker.
    :param number: the number of the worker that starts it.
    """

    session: Session
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
    def _share(self) -> int:
        """The bytes that the process may hold."""
        return self.session.limits.memory // self.schedule.active

    def evaluate(self, attrs: tuple[str, ...]) -> bool:
        """Evaluate targets in their order, as far as one process gets.

        :param attrs: the targets.
        :return: whether the worker goes on with another process.
        """
        heap = self._heap()
        try:
            return self._evaluate(attrs, heap)
        except _NoHeap:
            # The address space is limited, too, by `ulimit -v` or strict overcommitment.
            return self._evaluate(attrs, {})

    def _evaluate(self, attrs: tuple[str, ...], heap: Mapping[str, str]) -> bool:
        session = self.session
        self._last.clear()
        command = commands.report_targets(
            session.options, session.tree, attrs, token=self._token, variables=heap
        )
        try:
            done = session.runner.lines(command, self._line, on_tick=self._tick)
        except _RunEnded:
            return True
        except _Cancelled:
            return False
        except _TooLarge as ended:
            # the share grows when other workers end
            return ended.share < self._share or self._without_room(Ending.TOO_LARGE)
        ending = Ending.of_status(done.status)
        if heap and not done.ok and any(line == _CANNOT_START for line in self._last):
            raise _NoHeap
        if ending is Ending.KILLED or (not done.ok and parse_trace(self._stderr).memory):
            return self._without_room(ending)
        if not done.ok:
            self._refuse(ending)
        elif self._current is not None or not self._sound:
            raise _unknown_nix()
        return True

    def _heap(self) -> Mapping[str, str]:
        size = int(self._share * _HEAP)
        if size <= _DEFAULT_HEAP or "GC_INITIAL_HEAP_SIZE" in os.environ:
            return {}
        return {"GC_INITIAL_HEAP_SIZE": str(size)}

    def _line(self, line: bytes) -> None:
        marker = b"trace: %s " % self._token.encode()
        if not line.startswith(marker):
            self._keep(line)
            return
        word, _, rest = line.removeprefix(marker).decode().partition(" ")
        match word:
            case "tree":
                self._sound = True
            case "begin":
                if self._current is not None:
                    raise _unknown_nix()
                if self.session.results.cancelled.is_set():
                    raise _Cancelled
                full = self._done and self._resident > self._share * _FULL
                if full or not self.schedule.begin(self.number, rest):
                    raise _RunEnded
                self._current, self._began = rest, time.monotonic()
                self._last.clear()
                self.session.results.begin(rest)
            case "done":
                attr, _, value = rest.partition(" ")
                target = Target.parse(attr, value)
                seconds = time.monotonic() - self._began
                if self.schedule.finish(attr):
                    self.session.results.accept(target, seconds)
                self._current = None
                self._done += 1
            case _:
                pass

    def _keep(self, line: bytes) -> None:
        """Keep a line that may be a part of an error."""
        if self._first or line.lstrip().startswith(b"error:"):
            (self._first if len(self._first) < _TRACE else self._last).append(line)
        else:
            self.session.results.log(line)
            self._last.append(line)  # the message of a crash does not begin with "error:"

    @property
    def _stderr(self) -> bytes:
        return b"\n".join([*self._first, *self._last])

    def _tick(self, pid: int) -> None:
        if self.session.results.cancelled.is_set():
            raise _Cancelled
        self._resident = resident_memory(pid)
        share = self._share
        if self._resident > share:
            raise _TooLarge(share)

    def _without_room(self, ending: Ending) -> bool:
        """Decide what to do after the memory ran out.

        :return: whether the worker goes on with another process.
        """
        if self._done:
            return True
        if self.schedule.give_back(self.number):
            return False
        self._refuse(ending)
        return True

    def _refuse(self, ending: Ending) -> None:
        error = refusal(
            self._current, self._stderr, ending, blame=self.session.blame, memory=self._share
        )
        if self._current is None or not isinstance(error, EvaluationError):
            raise error
        if self.schedule.finish(self._current):
            self.session.results.refuse(self._current, error)


def _unknown_nix() -> EvaluationError:
    return EvaluationError(
        "Nix evaluated the generated tree and reported no target",
        hint="nixgen may not know this version of Nix; `nixgen doctor` names the version",
    )


def resident_memory(process: int) -> int:
    """The bytes that a process holds; 0 after its end (proc(5), ``statm``).

    :param process: its number.
    """
    try:
        with open(f"/proc/{process}/statm", "rb") as file:  # noqa: PTH123 - read many times a second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
