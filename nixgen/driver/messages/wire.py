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
from typing import Any, Final, Literal, TypeAlias

from attrs import frozen

from nixgen.driver.messages.events import Transfer

__all__ = [
    "ActivityStopped",
    "ActivityType",
    "BuildActivity",
    "Connecting",
    "CountActivity",
    "Counted",
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
# json.loads finds out the encoding of bytes first; that takes longer than the text itself
_read_value = json.JSONDecoder().raw_decode
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


class ActivityType:
    """The kinds of activities that nixgen reads.

    These kinds and those of `ResultType` are no enums: Python 3.11 takes longer to look up a member
    of an enum than to parse a record, and there is a record for each line of each build's log.
    """

    UNKNOWN: Final = 0
    COPY_PATH: Final = 100
    FILE_TRANSFER: Final = 101
    COPY_PATHS: Final = 103
    BUILDS: Final = 104
    BUILD: Final = 105
    SUBSTITUTE: Final = 108


class ResultType:
    """The kinds of results that nixgen reads."""

    BUILD_LOG_LINE: Final = 101
    SET_PHASE: Final = 104
    PROGRESS: Final = 105


class Level:
    """The verbosity at which Nix shows a message."""

    ERROR: Final = 0
    WARNING: Final = 1
    INFO: Final = 3


Counted: TypeAlias = Literal["builds", "copies"]


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
    :param what: the things that it counts.
    """

    id: int
    what: Counted


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
    """The record of a line, or None if nixgen does not read that kind of record. Never raises.

    :param line: without its newline.
    """
    if not line.startswith(_PREFIX):
        return PlainText(clean(line.decode("utf-8", "replace")))
    try:
        text = line.decode("utf-8", "surrogatepass").rstrip()
        document, end = _read_value(text, len(_PREFIX))
    except (ValueError, RecursionError):
        return None  # cut off, or nested without end; the work itself is not in the log
    return _record(document) if isinstance(document, dict) and end == len(text) else None


def _record(document: dict[str, Any]) -> Record | None:
    # By plain comparisons: a mapping pattern takes ten times as long, and a build has many lines.
    action, number = document.get("action"), document.get("id")
    if action == "msg":
        return _message(document)
    if not isinstance(number, int):
        return None
    if action == "result":
        return _result(number, document.get("type"), document.get("fields"))
    if action == "start":
        return _activity(number, document.get("type"), document)
    return ActivityStopped(number) if action == "stop" else None


def _message(document: dict[str, Any]) -> NixMessage | None:
    # raw_msg is the message without its position in the Nix file
    level, text = document.get("level"), document.get("raw_msg") or document.get("msg")
    if isinstance(level, int) and isinstance(text, str):
        return NixMessage(level, clean(text))
    return None


def _result(number: int, kind: Any, fields: Any) -> Record | None:
    match kind, fields:
        case ResultType.BUILD_LOG_LINE, [str(text), *_]:
            return LogLine(number, text)
        case ResultType.PROGRESS, [int(done), int(expected), int(running), int(failed), *_]:
            return Step(number, done, expected, running, failed)
        case ResultType.SET_PHASE, [str(phase), *_]:
            return Phase(number, phase)
        case _:
            return None


def _activity(number: int, kind: Any, document: dict[str, Any]) -> Record | None:
    match kind, document.get("fields"):
        case ActivityType.BUILD, [str(drv), str(machine), *_]:
            return BuildActivity(number, drv, machine)
        case ActivityType.COPY_PATH, [str(path), str(source), *_]:
            return TransferActivity(number, "copy", path, source)
        case ActivityType.SUBSTITUTE, [str(path), str(source), *_]:
            return TransferActivity(number, "substitute", path, source)
        case ActivityType.FILE_TRANSFER, [str(url), *_]:
            return TransferActivity(number, "fetch", url, "")
        case ActivityType.BUILDS, _:
            return CountActivity(number, "builds")
        case ActivityType.COPY_PATHS, _:
            return CountActivity(number, "copies")
        case ActivityType.UNKNOWN, _ if str(document.get("text")).startswith("connecting to '"):
            return Connecting()
        case _:
            return None


def clean(text: str) -> str:
    """Text without colours and control characters.

    A builder that could not start sends Nix a binary frame; the longest text in it is its message.

    :param text: one line or several.
    """
    if text.isprintable():
        return text.rstrip()
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\x00" in text:
        return max(_CONTROLS.split(text), key=len).strip()
    return _CONTROLS.sub("", text).rstrip()
