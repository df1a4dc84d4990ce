"""Remembered evaluations, target by target: one file, to which every run adds lines.

A line is ``KEY TARGET JSON``; of two with the same key the later counts. Whatever is damaged, of another form or about
derivations that are gone is as if it were not there: the target is evaluated again. Lines are added and old ones dropped
under a lock, so that runs beside each other lose nothing of each other's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from nixgen.driver.evaluate.target import Target
from nixgen.files.write import disk_errors, write_atomically
from nixgen.records.structure import parse_as

__all__ = ["EvaluationCache"]

_LARGEST = 8 << 20
_OLDEST = 90 * 86_400


@frozen(kw_only=True)
class _Circumstances:
    """The members of a line that say how a target was evaluated.

    :param seconds: the duration of the evaluation; None when it is unknown.
    :param at: the moment when the line was written, in seconds since 1970.
    """

    seconds: float | None = None
    at: float = 0.0


@define
class EvaluationCache:
    """
    :param file: where it lies; its folder is made when something is saved.
    :param largest: bytes after which the older half is dropped, and what is older than `_OLDEST`.
    """

    file: Path
    largest: int = _LARGEST
    _lines: dict[bytes, bytes] | None = field(default=None, init=False)

    def load(self, keys: Mapping[str, str | None]) -> Mapping[str, Target]:
        """What is known of these targets, and of use: its derivation or all of its outputs exist.

        :param keys: target → its key; None is never known.
        """
        lines = self._read()
        found: dict[str, Target] = {}
        for attr, key in keys.items():
            line = lines.get(_head(key, attr)) if key else None
            target = _parsed(attr, line) if line else None
            if target and _usable(target):
                found[attr] = target
        return found

    def seconds(self) -> Mapping[str, float]:
        """Target → what its last evaluation took, whatever its key was."""
        return {
            head.partition(b" ")[2].decode("utf-8", "replace"): seconds
            for head, line in self._read().items()
            if (seconds := _circumstances(line).seconds) is not None
        }

    def save(self, key: str, target: Target, seconds: float | None = None) -> None:
        """Remember a target.

        :param seconds: that its evaluation took, None when it is unknown.
        :raises StoreError: the file cannot be written.
        """
        content = {**target.to_json(), "seconds": seconds, "at": int(time.time())}
        head, body = _head(key, target.attr), json.dumps(content).encode()
        with self._locked() as stream:
            # a line of its own, whatever an interrupted run left before it
            stream.write(b"\n" + head + b" " + body + b"\n")
            size = stream.tell()
        if self._lines is not None:
            self._lines[head] = body
        if size > self.largest:
            self._prune()

    def forget(self, keys: Mapping[str, str | None]) -> None:
        """Drop evaluations that Nix no longer accepts."""
        heads = {_head(key, attr) for attr, key in keys.items() if key}
        if heads & self._read().keys():
            with self._locked():
                lines = _lines(self._bytes())
                self._write({head: line for head, line in lines.items() if head not in heads})

    def _prune(self) -> None:
        with self._locked():
            lines = _lines(self._bytes())
            oldest = time.time() - _OLDEST
            kept: dict[bytes, bytes] = {}
            size = 0
            for head, line in reversed(lines.items()):
                size += len(head) + len(line) + 3
                if size > self.largest // 2:
                    break
                if _circumstances(line).at > oldest:
                    kept[head] = line
            self._write(dict(reversed(kept.items())))

    def _read(self) -> dict[bytes, bytes]:
        if self._lines is None:
            self._lines = _lines(self._bytes())
        return self._lines

    def _bytes(self) -> bytes:
        try:
            return self.file.read_bytes()
        except OSError:
            return b""

    def _write(self, lines: Mapping[bytes, bytes]) -> None:
        write_atomically(
            self.file, b"".join(b"%s %s\n" % (head, line) for head, line in lines.items())
        )
        self._lines = dict(lines)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Any]:
        """The file, open at its end, and nobody else's as long as the block lasts."""
        with disk_errors(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # a lock file of its own: the other one is replaced while somebody may be waiting for it
            with open(f"{self.file}.lock", "ab") as lock:  # noqa: PTH123
                fcntl.flock(lock, fcntl.LOCK_EX)
                with open(self.file, "ab") as stream:  # noqa: PTH123
                    yield stream


def _head(key: str, attr: str) -> bytes:
    return f"{key} {attr}".encode()


def _lines(content: bytes) -> dict[bytes, bytes]:
    """Key and target → the rest of the line, oldest first."""
    found: dict[bytes, bytes] = {}
    for line in content.split(b"\n"):
        key, _, rest = line.partition(b" ")
        attr, _, body = rest.partition(b" ")
        if body:
            head = b"%s %s" % (key, attr)
            found.pop(head, None)
            found[head] = body
    return found


def _parsed(attr: str, line: bytes) -> Target | None:
    try:
        return Target.parse(attr, line)
    except ValueError:
        return None


def _circumstances(line: bytes) -> _Circumstances:
    try:
        circumstances: _Circumstances = parse_as(_Circumstances, line)
    except ValueError:
        return _Circumstances()
    return circumstances


def _usable(target: Target) -> bool:
    return os.path.exists(target.drv) or all(  # noqa: PTH110
        map(os.path.lexists, target.outputs.values())
    )
