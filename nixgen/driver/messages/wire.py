"""Nix's ``--log-format internal-json``: each line of its standard error is one record.

A record is ``@nix {"action": "start" | "stop" | "result" | "msg", …}``. A ``start`` opens an
activity under a number, ``result`` tells of it and ``stop`` ends it. The kinds are numbers, from
``ActivityType`` and ``ResultType`` of Nix's ``src/libutil/logging.hh``::

    @nix {"action": "start", "id": 7, "type": 105, "fields": ["/nix/store/….drv", "", 1, 1], …}
    @nix {"action": "result", "id": 7, "type": 101, "fields": ["a line of the log"]}
    @nix {"action": "stop", "id": 7}

The format has no version and grows. A record that this module does not know is None, and a line
without ``@nix`` is plain text, which ssh and builders write.
"""

from __future__ import annotations

import json
import re
from enum import IntEnum
from typing import Any, TypeAlias

from attrs import frozen

from nixgen.driver.messages.events import Transfer

__all__ = [
    "ActivityStopped",
    "ActivityType",
    "BuildActivity",
    "Connecting",
    "CountActivity",
    "Level",
    "LogLine",
    "NixMessage",
    "Phase",
    "PlainText",
    "Record",
    "ResultType",
    "Step",
    "TransferActivity",
    "clean",
    "parse_record",
]

_PREFIX = b"@nix "
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


class ActivityType(IntEnum):
    """The kinds of activities that nixgen reads."""

    UNKNOWN = 0
    COPY_PATH = 100
    FILE_TRANSFER = 101
    COPY_PATHS = 103
    BUILDS = 104
    BUILD = 105
    SUBSTITUTE = 108


class ResultType(IntEnum):
    """The kinds of results that nixgen reads."""

    BUILD_LOG_LINE = 101
    SET_PHASE = 104
    PROGRESS = 105


class Level(IntEnum):
    """The verbosity at which Nix shows a message."""

    ERROR = 0
    WARNING = 1
    INFO = 3


@frozen
class PlainText:
    """A line that is no record of Nix.

    :param text: the line, without colours.
    """

    text: str


@frozen
class BuildActivity:
    """The build of a derivation begins.

    :param id: the number of the activity.
    :param drv: the derivation.
    :param machine: the address of the remote builder; empty for this computer.
    """

    id: int
    drv: str
    machine: str


@frozen
class TransferActivity:
    """The transfer of a path or file begins.

    :param id: the number of the activity.
    :param kind: how it is transferred.
    :param item: a store path, or a URL for ``fetch``.
    :param source: the store that it comes from; empty for ``fetch``.
    """

    id: int
    kind: Transfer
    item: str
    source: str


@frozen
class CountActivity:
    """Nix begins to count its builds or copies.

    :param id: the number of the activity.
    :param type: `ActivityType.BUILDS` or `ActivityType.COPY_PATHS`.
    """

    id: int
    type: ActivityType


@frozen
class Connecting:
    """Nix begins to connect to a remote builder."""


@frozen
class ActivityStopped:
    """An activity ends.

    :param id: its number.
    """

    id: int


@frozen
class LogLine:
    """A line in the log of a build.

    :param id: the number of the build.
    :param text: the line, as it is.
    """

    id: int
    text: str


@frozen
class Phase:
    """A build enters a phase.

    :param id: the number of the build.
    :param phase: its name.
    """

    id: int
    phase: str


@frozen
class Step:
    """The progress of a transfer, in bytes, or of a count.

    :param id: the number of the activity.
    :param done: bytes or items that are done.
    :param expected: bytes or items in all, as far as Nix knows.
    :param running: items that are under way.
    :param failed: items that failed.
    """

    id: int
    done: int
    expected: int
    running: int
    failed: int


@frozen
class NixMessage:
    """A message of Nix.

    :param level: see `Level`.
    :param text: one line or several, without colours.
    """

    level: int
    text: str


Record: TypeAlias = (
    PlainText
    | BuildActivity
    | TransferActivity
    | CountActivity
    | Connecting
    | ActivityStopped
    | LogLine
    | Phase
    | Step
    | NixMessage
)


def parse_record(line: bytes) -> Record | None:
    """The record that a line stands for; None for one that nixgen does not read. Never raises.

    :param line: without its newline.
    """
    if not line.startswith(_PREFIX):
        return PlainText(clean(line.decode("utf-8", "replace")))
    try:
        document = json.loads(line[len(_PREFIX) :])
    except (ValueError, RecursionError):
        return None  # cut off, or nested without end; the work itself is not in the log
    return _record(document)


def _record(document: Any) -> Record | None:
    match document:
        case {"action": "result", "id": int(number), "type": kind, "fields": list(fields)}:
            return _result(number, kind, fields)
        case {"action": "start", "id": int(number), "type": kind}:
            return _activity(number, kind, document)
        case {"action": "stop", "id": int(number)}:
            return ActivityStopped(number)
        # raw_msg is the message without its position in the Nix file
        case {"action": "msg", "level": int(level), "raw_msg": str(text)} if text:
            return NixMessage(level, clean(text))
        case {"action": "msg", "level": int(level), "msg": str(text)}:
            return NixMessage(level, clean(text))
        case _:
            return None


def _result(number: int, kind: Any, fields: list[Any]) -> Record | None:
    match kind, fields:
        case ResultType.BUILD_LOG_LINE, [str(text), *_]:
            return LogLine(number, text)
        case ResultType.PROGRESS, [int(done), int(expected), int(running), int(failed), *_]:
            return Step(number, done, expected, running, failed)
        case ResultType.SET_PHASE, [str(phase), *_]:
            return Phase(number, phase)
        case _:
            return None


def _activity(number: int, kind: Any, document: Any) -> Record | None:
    match kind, document.get("fields", ()):
        case ActivityType.BUILD, [str(drv), str(machine), *_]:
            return BuildActivity(number, drv, machine)
        case ActivityType.COPY_PATH, [str(path), str(source), *_]:
            return TransferActivity(number, "copy", path, source)
        case ActivityType.SUBSTITUTE, [str(path), str(source), *_]:
            return TransferActivity(number, "substitute", path, source)
        case ActivityType.FILE_TRANSFER, [str(url), *_]:
            return TransferActivity(number, "fetch", url, "")
        case ((ActivityType.BUILDS | ActivityType.COPY_PATHS), _):
            return CountActivity(number, ActivityType(kind))
        case ActivityType.UNKNOWN, _ if str(document.get("text")).startswith("connecting to '"):
            return Connecting()
        case _:
            return None


def clean(text: str) -> str:
    """Text without colours and control characters.

    A builder that could not start sends Nix a binary frame; the longest text in it is its message.

    :param text: one line or several.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\x00" in text:
        return max(_CONTROLS.split(text), key=len).strip()
    return _CONTROLS.sub("", text).rstrip()
