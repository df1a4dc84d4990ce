"""Turn the records of one Nix process, in their order, into events.

Some facts are not in the records. This module infers when a build ended, whether the derivation or
the remote builder is at fault, and which machine a line of ssh is about.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import assert_never

from attrs import define, evolve, field, frozen

from nixgen.driver.messages.events import (
    BuilderMismatch,
    BuilderUnavailable,
    BuildFailed,
    BuildFinished,
    BuildLine,
    BuildPhase,
    BuildStarted,
    Event,
    Message,
    Progress,
    TransferFinished,
    TransferProgress,
    TransferStarted,
)
from nixgen.driver.messages.refusals import (
    Blocked,
    DerivationFailed,
    planned_builds,
    read_refusal,
)
from nixgen.driver.messages.wire import (
    ActivityStopped,
    BuildActivity,
    Connecting,
    CountActivity,
    Counted,
    Level,
    LogLine,
    NixMessage,
    Phase,
    PlainText,
    Step,
    TransferActivity,
    clean,
    parse_record,
)

__all__ = ["EventParser"]

#: Lines kept in case a later message needs them as its reason.
_RECENT = 30


@frozen
class _Relayed:
    """A build that a remote builder reports, after this Nix has reported it already."""

    id: int
    drv: str


_Activity = BuildActivity | _Relayed | TransferActivity | CountActivity


@define
class _Builds:
    """The builds of a run.

    :param clock: seconds, for durations.
    :param started: derivation → the time its build began.
    :param ended: derivation → the time its build ended, if that is known before the reason is.
    :param active: the derivations that are being built, in the order they began.
    :param failed: the derivations that failed.
    :param machines: derivation → the address of its remote builder.
    """

    clock: Callable[[], float]
    started: dict[str, float] = field(factory=dict, init=False)
    ended: dict[str, float] = field(factory=dict, init=False)
    active: dict[str, None] = field(factory=dict, init=False)
    failed: set[str] = field(factory=set, init=False)
    machines: dict[str, str] = field(factory=dict, init=False)

    def start(self, drv: str, machine: str) -> tuple[Event, ...]:
        """Record the begin of a build."""
        self.machines[drv] = machine
        self.started[drv] = self.clock()
        self.active[drv] = None
        return (BuildStarted(drv, machine),)

    def is_relayed(self, drv: str, machine: str) -> bool:
        """Whether the report of a build comes from the remote builder that this Nix gave it to."""
        return not machine and drv in self.active and bool(self.machines.get(drv))

    def finish(self, drv: str) -> tuple[Event, ...]:
        """Record the end of a build, unless it failed or has ended already."""
        if drv in self.failed or drv not in self.started:
            return ()
        self.active.pop(drv, None)
        ended = self.ended.pop(drv, None)
        now = self.clock() if ended is None else ended
        return (BuildFinished(drv, now - self.started.pop(drv)),)

    def fail(self, drv: str) -> float:
        """Record a failure.

        :return: the seconds that the build took.
        """
        self.failed.add(drv)
        self.active.pop(drv, None)
        ended = self.ended.get(drv)
        now = self.clock() if ended is None else ended
        return now - self.started.get(drv, now)

    def count_fell(self, before: Progress, after: Progress) -> tuple[Event, ...]:
        """Infer ends from Nix's count of running builds.

        Nix until at least 2.8 stops the activities of top-level derivations only at the very end.
        So an end is taken from the count when that leaves no doubt which build it was: one was
        active, or none runs any more. In other cases the duration of a build is an upper bound.
        """
        if after.running >= before.running or (after.running and len(self.active) > 1):
            return ()
        over = tuple(self.active)
        self.ended |= dict.fromkeys(over, self.clock())
        if after.failed > before.failed:
            if len(over) == 1:
                self.active.clear()  # which one failed is clear; the reason comes in a message
            return ()
        return tuple(event for drv in over for event in self.finish(drv))


@define
class EventParser:
    """Turns the lines of one Nix process, in order, into events.

    :param clock: seconds, for durations.
    :param builds: the builds of the run.
    :param activities: number → activity that has not stopped.
    :param transfers: number of a transfer → the time it began.
    :param received: number of a download → bytes so far.
    :param counts: the last counts of builds and of copies.
    :param planned: the number of builds that Nix announced; 0 without an announcement.
    :param ssh_lines: plain lines. ssh writes them before Nix says which machine it connects to.
    :param hook_errors: errors without a derivation. Those of the remote build hook come just before
        the failure that they explain.
    """

    clock: Callable[[], float] = time.monotonic
    builds: _Builds = field(init=False)
    activities: dict[int, _Activity] = field(factory=dict, init=False)
    transfers: dict[int, float] = field(factory=dict, init=False)
    received: dict[int, int] = field(factory=dict, init=False)
    counts: dict[Counted, Progress] = field(factory=dict, init=False)
    planned: int = field(default=0, init=False)
    ssh_lines: deque[str] = field(factory=lambda: deque(maxlen=_RECENT), init=False)
    hook_errors: deque[str] = field(factory=lambda: deque(maxlen=_RECENT), init=False)

    def __attrs_post_init__(self) -> None:
        self.builds = _Builds(self.clock)

    def feed(self, line: bytes) -> tuple[Event, ...]:
        """The events that a line stands for. Never raises.

        :param line: without its newline.
        """
        record = parse_record(line)
        match record:
            case LogLine() | Step() | Phase():  # the most frequent first
                return self._result(record)
            case BuildActivity() | TransferActivity() | CountActivity():
                return self._start(record)
            case ActivityStopped(number):
                return self._stop(number)
            case PlainText(text):
                self.ssh_lines.append(text)
                return (Message(Level.INFO, text),) if text else ()
            case NixMessage(level, text):
                return self._message(level, text)
            case Connecting():
                self.ssh_lines.clear()
                return ()
            case None:
                return ()
            case _:
                assert_never(record)

    def _start(
        self, activity: BuildActivity | TransferActivity | CountActivity
    ) -> tuple[Event, ...]:
        match activity:
            case BuildActivity(number, drv, machine):
                if self.builds.is_relayed(drv, machine):
                    self.activities[number] = _Relayed(number, drv)
                    return ()
                self.activities[number] = activity
                return self.builds.start(drv, machine)
            case TransferActivity(number, kind, item, source):
                self.activities[number] = activity
                self.transfers[number] = self.clock()
                return (TransferStarted(kind, item, source),)
            case CountActivity(_, "builds") if any(
                isinstance(each, CountActivity) and each.what == "builds"
                for each in self.activities.values()
            ):
                return ()  # a remote builder's count of its own builds
            case CountActivity(number):
                self.activities[number] = activity
                return ()

    def _stop(self, number: int) -> tuple[Event, ...]:
        self.received.pop(number, None)
        match self.activities.pop(number, None):
            case BuildActivity(_, drv):
                return self.builds.finish(drv)
            case TransferActivity(_, kind, item):
                return (TransferFinished(kind, item, self.clock() - self.transfers.pop(number)),)
            case _:
                return ()

    def _result(self, record: LogLine | Phase | Step) -> tuple[Event, ...]:
        activity = self.activities.get(record.id)
        match record:
            case LogLine() if isinstance(activity, (BuildActivity, _Relayed)):
                line = clean(record.text)
                return (BuildLine(activity.drv, line),) if line or not record.text else ()
            case Phase() if isinstance(activity, (BuildActivity, _Relayed)):
                return (BuildPhase(activity.drv, record.phase),)
            case Step() if isinstance(activity, CountActivity):
                return self._count(activity.what, record)
            case Step() if isinstance(activity, TransferActivity) and activity.kind == "fetch":
                if self.received.get(record.id) == record.done:
                    return ()  # Nix repeats itself ten times a second
                self.received[record.id] = record.done
                return (TransferProgress(activity.item, record.done, record.expected),)
            case _:
                return ()

    def _count(self, what: Counted, step: Step) -> tuple[Event, ...]:
        after = Progress(what, step.done, step.expected, step.running, step.failed)
        before = self.counts.get(what)
        if after == before:
            return ()  # Nix repeats itself at every step
        self.counts[what] = after
        if what == "copies":
            return (after,)
        ends = self.builds.count_fell(before or Progress(what, 0, 0, 0, 0), after)
        return (self._without_duplicates(after), *ends)

    def _without_duplicates(self, counted: Progress) -> Progress:
        """Nix 2.34 (not 2.26) expects a derivation twice: as something to have, and to build."""
        if not self.planned:
            return counted
        begun = counted.done + counted.running + counted.failed
        return evolve(counted, expected=min(counted.expected, max(self.planned, begun)))

    def _message(self, level: int, text: str) -> tuple[Event, ...]:
        self.planned = self.planned or planned_builds(text)
        refusal = read_refusal(text, error=level == Level.ERROR)
        match refusal:
            case BuilderUnavailable(machine, reason):
                words = (*filter(None, self.ssh_lines), *reason)
                self.ssh_lines.clear()
                return (BuilderUnavailable(machine, words),)
            case BuilderMismatch():
                return (refusal,)
            case DerivationFailed():
                return self._failure(refusal)
            case Blocked() | None:
                if refusal is None and level == Level.ERROR:
                    self.hook_errors.append(text)
                return (Message(level, text),) if text else ()
            case _:
                assert_never(refusal)

    def _failure(self, refusal: DerivationFailed) -> tuple[Event, ...]:
        drv = refusal.drv
        if drv in self.builds.failed:
            return ()
        seconds = self.builds.fail(drv)
        machine = self.builds.machines.get(drv)
        if machine and not refusal.remote and self.hook_errors:
            # the build hook ended, and the builder reported nothing about the derivation
            return (BuildFailed(drv, seconds, self.hook_errors.popleft(), machine),)
        return (BuildFailed(drv, seconds, refusal.reason),)
