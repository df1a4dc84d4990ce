"""Nix's ``--log-format internal-json`` as a closed union of events.

Lines are ``@nix {…}`` with actions ``start``, ``stop``, ``result`` and ``msg``; the numbers below are
``ActivityType`` and ``ResultType`` of ``src/libutil/logging.hh``. What this module does not know is
ignored, and a line without the prefix is text: the format has no version and grows.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

__all__ = [
    "BuildFailed",
    "BuildFinished",
    "BuildLine",
    "BuildPhase",
    "BuildStarted",
    "BuilderMismatch",
    "BuilderUnavailable",
    "Event",
    "EventParser",
    "Message",
    "Progress",
    "TransferFinished",
    "TransferProgress",
    "TransferStarted",
    "drv_name",
]

_UNKNOWN = 0
_COPY_PATH, _FILE_TRANSFER, _COPY_PATHS, _BUILDS, _BUILD, _SUBSTITUTE = 100, 101, 103, 104, 105, 108
_LOG_LINE, _SET_PHASE, _PROGRESS = 101, 104, 105
_ERROR_LEVEL, _INFO_LEVEL = 0, 3
#: our own: a build that a remote builder tells of, which this Nix has told of already
_RELAYED = -1

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")
# 2.8 … 2.29: builder for 'X' failed with …      2.30 …: Cannot build 'X'. Reason: builder failed …
_FAILED = re.compile(
    r"(?:builder for|[Cc]annot build|hash mismatch in fixed-output derivation) '([^']+\.drv)'(.*)",
    re.DOTALL,
)
# nobody may build it: Nix since 2.30 says so of each derivation, older ones end without naming one
_NOWHERE = re.compile(
    r"Reason:\s*(?:local builds are disabled|required system or feature not available)"
)
_PLAN = re.compile(r"th(?:is|ese (\d+)) derivations? will be built:")
_DEPENDENCY = re.compile(r"Reason:\s*\d+ dependenc")

# src/build-remote/build-remote.cc; the words are the same in 2.8 and 2.34
_REMOTE_FAILURE = re.compile(r"(?:error: )?build of '[^']+' on '[^']+' failed: ")
_UNAVAILABLE = re.compile(r"cannot build on '([^']+)': (.*)", re.DOTALL)
_MISMATCH = re.compile(
    r"Failed to find a machine for remote build!\s+derivation: (\S+)"
    r"\s+required \(system, features\): \(([^,)]*), ([^)]*)\)"
)

Transfer: TypeAlias = Literal["copy", "substitute", "fetch"]


@frozen
class BuildStarted:
    """A derivation is being built. ``machine``: the address of the builder, empty for this computer."""

    drv: str
    machine: str


@frozen
class BuildFinished:
    """A derivation's builder is done, and Nix has said nothing of a failure."""

    drv: str
    seconds: float


@frozen
class BuildFailed:
    """A derivation could not be built. ``reason``: Nix's words, on one line or several.

    :param builder: the address of the remote builder whose fault it is; empty when it is the derivation's.
    """

    drv: str
    seconds: float
    reason: str
    builder: str = ""


@frozen
class BuilderUnavailable:
    """A remote builder that cannot be used. Nix goes on with the others, or with this computer.

    :param machine: its address.
    :param words: what ssh said, then Nix.
    """

    machine: str
    words: tuple[str, ...]


@frozen
class BuilderMismatch:
    """No remote builder that can be used builds for this system, or has these features, nor may this computer.

    :param drv: the base name of the derivation.
    """

    drv: str
    system: str
    features: tuple[str, ...]


@frozen
class BuildLine:
    """A line that a builder wrote."""

    drv: str
    text: str


@frozen
class BuildPhase:
    drv: str
    phase: str


@frozen
class Progress:
    """Counts of ``what`` in the whole run; each event replaces the last."""

    what: Literal["builds", "copies"]
    done: int
    expected: int
    running: int
    failed: int


@frozen
class TransferStarted:
    """``item`` is a store path, or a URL for ``fetch``."""

    kind: Transfer
    item: str
    source: str


@frozen
class TransferFinished:
    kind: Transfer
    item: str
    seconds: float


@frozen
class TransferProgress:
    """Bytes of a ``fetch`` so far; ``expected`` is 0 as long as nobody knows."""

    item: str
    done: int
    expected: int


@frozen
class Message:
    """What Nix says; ``level`` 0 is an error, 1 a warning, 3 information."""

    level: int
    text: str


Event: TypeAlias = (
    BuildStarted
    | BuildFinished
    | BuildFailed
    | BuildLine
    | BuildPhase
    | BuilderMismatch
    | BuilderUnavailable
    | Progress
    | TransferStarted
    | TransferFinished
    | TransferProgress
    | Message
)

_TRANSFERS: dict[int, Transfer] = {
    _COPY_PATH: "copy",
    _FILE_TRANSFER: "fetch",
    _SUBSTITUTE: "substitute",
}


def drv_name(drv: str) -> str:
    """``/nix/store/<hash>-nginx-1.22.drv`` → ``nginx-1.22``."""
    return drv.rpartition("/")[2][33:].removesuffix(".drv")


@define
class EventParser:
    """Turns the lines of one Nix process, in order, into events. `feed` never raises.

    Nix until at least 2.8 stops the activities of top-level derivations only at the very end. An
    end is therefore taken from the count of running builds when that leaves no doubt about which
    it was; else ``seconds`` is an upper bound.

    :param clock: seconds, for durations.
    """

    _clock: Callable[[], float] = time.monotonic
    _activities: dict[int, tuple[int, str, float]] = field(factory=dict, init=False)
    _started: dict[str, float] = field(factory=dict, init=False)
    _active: dict[str, None] = field(factory=dict, init=False)
    _ended: dict[str, float] = field(factory=dict, init=False)
    _failed: set[str] = field(factory=set, init=False)
    _progress: dict[int, list[int]] = field(factory=dict, init=False)
    _received: dict[int, int] = field(factory=dict, init=False)
    _planned: int = field(default=0, init=False)
    _machines: dict[str, str] = field(factory=dict, init=False)
    # what ssh says comes as plain lines, before Nix says which machine it is about
    _spoken: deque[str] = field(factory=lambda: deque(maxlen=30), init=False)
    # errors that name no derivation; those of the remote build hook come just before the failure
    _trouble: deque[str] = field(factory=lambda: deque(maxlen=30), init=False)

    def feed(self, line: bytes) -> tuple[Event, ...]:
        """The events that a line (without newline) stands for."""
        if not line.startswith(b"@nix "):
            text = clean(line.decode("utf-8", "replace"))
            self._spoken.append(text)
            return (Message(_INFO_LEVEL, text),) if text else ()
        try:
            data = json.loads(line[5:])
            match data["action"]:
                case "result":
                    return self._result(data["id"], data["type"], data["fields"])
                case "start":
                    if data["type"] == _UNKNOWN and str(data["text"]).startswith("connecting to '"):
                        self._spoken.clear()
                    return self._start(data["id"], data["type"], data.get("fields", ()))
                case "stop":
                    return self._stop(data["id"])
                case "msg":
                    return self._message(data["level"], str(data.get("raw_msg") or data["msg"]))
                case _:
                    return ()
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return ()  # a shape from another version; the work itself is not in the log

    def _start(self, number: int, kind: int, fields: Any) -> tuple[Event, ...]:
        now = self._clock()
        if kind == _BUILD:
            drv, machine = str(fields[0]), str(fields[1])
            if not machine and drv in self._active and self._machines.get(drv):
                self._activities[number] = (_RELAYED, drv, now)
                return ()
            self._activities[number] = (kind, drv, now)
            self._machines[drv] = machine
            self._started[drv] = now
            self._active[drv] = None
            return (BuildStarted(drv, machine),)
        if kind in _TRANSFERS:
            item = str(fields[0])
            self._activities[number] = (kind, item, now)
            return (TransferStarted(_TRANSFERS[kind], item, str(fields[1]) if fields[1:] else ""),)
        if kind == _BUILDS and any(known == kind for known, _, _ in self._activities.values()):
            return ()  # a remote builder's count of its own builds
        if kind in {_BUILDS, _COPY_PATHS}:
            self._activities[number] = (kind, "", now)
        return ()

    def _stop(self, number: int) -> tuple[Event, ...]:
        kind, item, started = self._activities.pop(number, (0, "", 0.0))
        self._received.pop(number, None)
        if kind == _BUILD:
            return self._finish(item)
        if kind in _TRANSFERS:
            return (TransferFinished(_TRANSFERS[kind], item, self._clock() - started),)
        return ()

    def _result(self, number: int, kind: int, fields: Any) -> tuple[Event, ...]:
        activity, item, _ = self._activities.get(number, (0, "", 0.0))
        if kind == _LOG_LINE and activity in {_BUILD, _RELAYED}:
            text = clean(str(fields[0]))
            return (BuildLine(item, text),) if text or not fields[0] else ()
        if kind == _SET_PHASE and activity in {_BUILD, _RELAYED}:
            return (BuildPhase(item, str(fields[0])),)
        if kind == _PROGRESS and activity == _FILE_TRANSFER:
            done, expected = int(fields[0]), int(fields[1])
            if self._received.get(number) == done:
                return ()  # Nix repeats itself ten times a second
            self._received[number] = done
            return (TransferProgress(item, done, expected),)
        if kind == _PROGRESS and activity in {_BUILDS, _COPY_PATHS}:
            before = self._progress.get(activity, [0, 0, 0, 0])
            if before == fields and activity in self._progress:
                return ()  # Nix repeats itself at every step
            done, expected, running, failed = map(int, fields[:4])
            self._progress[activity] = [done, expected, running, failed]
            if activity == _COPY_PATHS:
                return (Progress("copies", done, expected, running, failed),)
            if self._planned:
                # Nix 2.34 (not 2.26) expects a derivation twice, as something to have and as something to build
                expected = min(expected, max(self._planned, done + running + failed))
            progress = Progress("builds", done, expected, running, failed)
            return (progress, *self._ends(before, running, failed))
        return ()

    def _ends(self, before: list[int], running: int, failed: int) -> tuple[Event, ...]:
        """The builds that a smaller count of running ones says are over."""
        if running >= before[2] or (running and len(self._active) > 1):
            return ()
        over, now = tuple(self._active), self._clock()
        self._ended |= dict.fromkeys(over, now)
        if failed > before[3]:
            if len(over) == 1:
                self._active.clear()  # which one failed is clear, why comes in a message
            return ()
        return tuple(event for drv in over for event in self._finish(drv))

    def _finish(self, drv: str) -> tuple[Event, ...]:
        if drv in self._failed or drv not in self._started:
            return ()
        self._active.pop(drv, None)
        now = self._clock()
        return (BuildFinished(drv, self._ended.pop(drv, now) - self._started.pop(drv)),)

    def _message(self, level: int, text: str) -> tuple[Event, ...]:
        text = clean(text)
        if unusable := _UNAVAILABLE.match(text):
            words = (*filter(None, self._spoken), *unusable[2].splitlines())
            self._spoken.clear()
            return (BuilderUnavailable(unusable[1], words),)
        if mismatch := _MISMATCH.match(text):
            drv, system, features = mismatch.groups()
            return (
                BuilderMismatch(drv, system, tuple(filter(None, features.strip("[]").split(", ")))),
            )
        if plan := _PLAN.match(text):
            self._planned = self._planned or int(plan[1] or 1)
        if level == _ERROR_LEVEL:
            found = _FAILED.search(text)
            if found and not _DEPENDENCY.search(text) and not _NOWHERE.search(text):
                drv = found[1]
                if drv in self._failed:
                    return ()
                self._failed.add(drv)
                self._active.pop(drv, None)
                now = self._clock()
                ended = self._ended.get(drv, now)
                seconds = ended - self._started.get(drv, ended)
                remote = _REMOTE_FAILURE.match(text)
                if self._machines.get(drv) and not remote and self._trouble:
                    # the build hook ended without a word from the builder about the derivation
                    return (
                        BuildFailed(drv, seconds, self._trouble.popleft(), self._machines[drv]),
                    )
                return (BuildFailed(drv, seconds, text[remote.end() :] if remote else text),)
            if not found:
                self._trouble.append(text)
        return (Message(int(level), text),) if text else ()


def clean(text: str) -> str:
    """Text without colours and control characters.

    A builder that could not start speaks to Nix in a binary frame; its longest piece is the words.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\x00" in text:
        return max(_CONTROLS.split(text), key=len).strip()
    return _CONTROLS.sub("", text).rstrip()
