"""Remembered evaluations: one file with a line for each target, to which every run adds lines.

A line is ``KEY TARGET JSON``. The later of two lines with the same key and target counts. A line
that is damaged, has another form or names a derivation that is gone is ignored, so its target is
evaluated again. Lines are added and dropped under a lock, because several runs may use one file.
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
    """The remembered evaluations of one file.

    :param file: the file. Its folder is made when something is saved.
    :param largest: the size in bytes at which lines are dropped: the older half of the file, and
        lines that are older than 90 days.
    """

    file: Path
    largest: int = _LARGEST
    _lines: dict[bytes, bytes] | None = field(default=None, init=False)

    def load(self, keys: Mapping[str, str | None]) -> Mapping[str, Target]:
        """The remembered targets whose derivation, or all of whose outputs, still exist.

        :param keys: target → its key; None is never remembered.
        """
        lines = self._read()
        targets: dict[str, Target] = {}
        for attr, key in keys.items():
            line = lines.get(_head(key, attr)) if key else None
            with contextlib.suppress(ValueError):
                if line and _usable(target := Target.parse(attr, line)):
                    targets[attr] = target
        return targets

    def seconds(self) -> Mapping[str, float]:
        """Target → seconds of its last evaluation, under any key."""
        return {
            head.partition(b" ")[2].decode("utf-8", "replace"): seconds
            for head, line in self._read().items()
            if (seconds := _circumstances(line).seconds) is not None
        }

    def save(self, key: str, target: Target, seconds: float | None = None) -> None:
        """Remember a target.

        :param key: the key of its evaluation.
        :param target: the result.
        :param seconds: the duration of its evaluation; None when it is unknown.
        :raises StoreError: the file cannot be written.
        """
        content = {**target.to_json(), "seconds": seconds, "at": int(time.time())}
        head, body = _head(key, target.attr), json.dumps(content).encode()
        with self._locked() as stream:
            # the first newline ends a line that an interrupted run may have left
            stream.write(b"\n" + head + b" " + body + b"\n")
            size = stream.tell()
        if self._lines is not None:
            self._lines[head] = body
        if size > self.largest:
            self._prune()

    def forget(self, keys: Mapping[str, str | None]) -> None:
        """Drop evaluations whose derivations Nix no longer accepts.

        :param keys: target → its key; None is ignored.
        """
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
        """The file, open at its end. Other runs wait until the block ends."""
        with disk_errors(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # a separate lock file: the file itself may be replaced while another run waits
            with open(f"{self.file}.lock", "ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with open(self.file, "ab") as stream:
                    yield stream


def _head(key: str, attr: str) -> bytes:
    return f"{key} {attr}".encode()


def _lines(content: bytes) -> dict[bytes, bytes]:
    """Key and target → the rest of the line, the oldest first."""
    lines: dict[bytes, bytes] = {}
    for line in content.split(b"\n"):
        key, _, rest = line.partition(b" ")
        attr, _, body = rest.partition(b" ")
        if body:
            head = b"%s %s" % (key, attr)
            lines.pop(head, None)
            lines[head] = body
    return lines


def _circumstances(line: bytes) -> _Circumstances:
    try:
        circumstances: _Circumstances = parse_as(_Circumstances, line)
    except ValueError:
        return _Circumstances()
    return circumstances


def _usable(target: Target) -> bool:
    return os.path.exists(target.drv) or all(map(os.path.lexists, target.outputs.values()))
