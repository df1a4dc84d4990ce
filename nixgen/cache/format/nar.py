"""Writes the Nix archive (NAR) of a path: the same bytes as ``nix-store --dump``.

Format: Eelco Dolstra's thesis, section 5.2. Strings have their length before them and are padded to
eight bytes; directory entries are in byte order of their names; the owner's execute bit is the only
metadata.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

from nixgen.errors import StoreError
from nixgen.store.digest import Hash

__all__ = ["nar_frames", "nar_hash", "string_size", "write_nar"]

CHUNK = 1 << 20
"""Bytes in one piece of `write_nar`."""

_COLLECTED = 1 << 16
"""Most bytes of a file that is collected with its surroundings; larger files go to the buffer."""


def _string(value: bytes) -> bytes:
    size = len(value)
    return size.to_bytes(8, "little") + value + bytes(-size % 8)


def string_size(*values: bytes) -> int:
    """The bytes that strings take in an archive.

    :param values: the strings.
    """
    return sum(8 + len(value) + -len(value) % 8 for value in values)


def _strings(*values: bytes) -> bytes:
    return b"".join(map(_string, values))


_MAGIC = _string(b"nix-archive-1")
_REGULAR = _strings(b"(", b"type", b"regular", b"contents")
_EXECUTABLE = _strings(b"(", b"type", b"regular", b"executable", b"", b"contents")
_SYMLINK = _strings(b"(", b"type", b"symlink", b"target")
_DIRECTORY = _strings(b"(", b"type", b"directory")
_ENTRY = _strings(b"entry", b"(", b"name")
_NODE = _string(b"node")
_CLOSE = _string(b")")
_CLOSE_TWICE = _CLOSE + _CLOSE


def write_nar(path: str | Path, *, chunk: int = CHUNK) -> Iterator[bytes]:
    """The NAR of a path, in pieces.

    :param path: the path on disk.
    :param chunk: bytes of each piece; the last one may be shorter.
    :raises StoreError: as `nar_frames`.
    """
    buffer = bytearray(chunk)
    return map(bytes, nar_frames(path, lambda: buffer))


def nar_frames(path: str | Path, take: Callable[[], bytearray]) -> Iterator[memoryview]:
    """The NAR of a path, written into buffers. Each buffer is full, except for the last.

    Large files are read straight into the buffers, so that no byte is copied twice. Memory is
    bounded by the buffers and one directory listing per level, whatever the size of the tree.

    :param path: the path on disk.
    :param take: returns the next buffer; it may return the same one again.
    :raises StoreError: the path is missing or unreadable, changes while it is read, or contains
        something that a NAR cannot hold (a socket, a device, a pipe).
    """
    try:
        yield from _Writer(take).frames(os.fsencode(path))
    except OSError as error:
        raise StoreError(
            f"cannot read {os.fsdecode(error.filename or path)}: {error.strerror}",
            hint=f"check the path with: nix-store --verify-path {os.fsdecode(path)}",
        ) from error


def nar_hash(path: str | Path) -> Hash:
    """SHA-256 of the NAR of a path.

    :param path: the path on disk.
    :raises StoreError: as `nar_frames`.
    """
    digest = hashlib.sha256()
    for piece in write_nar(path):
        digest.update(piece)
    return Hash("sha256", digest.digest())


class _Writer:
    """Writes one archive into buffers.

    Everything between the contents of large files comes in many small pieces, so it is collected
    first and copied at once.
    """

    def __init__(self, take: Callable[[], bytearray]) -> None:
        self._take = take
        self._pending: list[bytes] = [_MAGIC]
        self._size = len(_MAGIC)
        self._view: memoryview | None = None
        self._used = 0

    def frames(self, root: bytes) -> Iterator[memoryview]:
        # One iterator per open directory instead of recursion: depth costs no nested generators.
        stack: list[Iterator[tuple[bytes, bytes, bool, bool]]] = []
        mode = os.lstat(root).st_mode
        if stat.S_ISDIR(mode):
            self._add(_DIRECTORY)
            stack.append(_entries(root))
        elif large := self._leaf(root, stat.S_ISLNK(mode)):
            yield from self._large(root, *large)
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                # The directory's own bracket, and that of the entry it stands in.
                self._add(_CLOSE_TWICE if stack else _CLOSE)
                continue
            name, path, is_link, is_directory = entry
            self._add(_ENTRY + _string(name) + _NODE)
            if is_directory:
                self._add(_DIRECTORY)
                stack.append(_entries(path))
            else:
                if large := self._leaf(path, is_link):
                    yield from self._large(path, *large)
                self._add(_CLOSE)
            if self._size >= _COLLECTED:
                yield from self._flush()
        yield from self._flush()
        if self._view is not None:
            yield self._view[: self._used]

    def _add(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._size += len(piece)

    def _flush(self) -> Iterator[memoryview]:
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        self._size = 0
        while data:
            room = self._room()[: len(data)]
            room[:] = data[: len(room)]
            data = data[len(room) :]
            yield from self._filled(len(room))

    def _room(self) -> memoryview:
        """The free part of the buffer; never empty."""
        if self._view is None:
            self._view = memoryview(self._take())
        return self._view[self._used :]

    def _filled(self, count: int) -> Iterator[memoryview]:
        self._used += count
        if self._view is not None and self._used == len(self._view):
            yield self._view
            self._view, self._used = None, 0

    def _leaf(self, path: bytes, is_link: bool) -> tuple[int, int] | None:  # noqa: FBT001 - a link or a file, and nothing else
        """Collect a link or a small file. Of a large file, collect only the part before its
        contents.

        :returns: descriptor and size of a large file, for `_large` to read.
        """
        if is_link:
            self._add(_SYMLINK + _string(os.readlink(path)) + _CLOSE)  # noqa: PTH115 - bytes
            return None
        # O_NONBLOCK: opening a pipe must not wait for its writer before it is refused.
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise _unsupported(path) from error
            raise
        large = False
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unsupported(path)
            size = status.st_size
            header = _EXECUTABLE if status.st_mode & stat.S_IXUSR else _REGULAR
            self._add(header + size.to_bytes(8, "little"))
            if large := size > _COLLECTED:
                return descriptor, size
            # One byte more than there should be: then the end of the file costs no other call.
            data = os.read(descriptor, size + 1)
            while len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
                data += more
        finally:
            if not large:
                os.close(descriptor)
        if len(data) != size:
            raise _changed(path)
        self._add(data)
        self._add(bytes(-size % 8) + _CLOSE)
        return None

    def _large(self, path: bytes, descriptor: int, size: int) -> Iterator[memoryview]:
        """Read the contents straight into the buffers, and close the file."""
        try:
            yield from self._flush()
            left = size
            while left:
                count = os.readv(descriptor, [self._room()[:left]])
                if not count:
                    raise _changed(path)
                left -= count
                yield from self._filled(count)
            if os.read(descriptor, 1):
                raise _changed(path)
        finally:
            os.close(descriptor)
        self._add(bytes(-size % 8) + _CLOSE)


def _entries(directory: bytes) -> Iterator[tuple[bytes, bytes, bool, bool]]:
    """The entries in byte order of their names: (name, path, is a symlink, is a directory)."""
    with os.scandir(directory) as found:
        entries = sorted(found, key=attrgetter("name"))
    return (
        (entry.name, entry.path, entry.is_symlink(), entry.is_dir(follow_symlinks=False))
        for entry in entries
    )


def _unsupported(path: bytes) -> StoreError:
    return StoreError(
        f"{os.fsdecode(path)} is not a file, directory or symlink; a NAR can hold nothing else",
        hint="remove it, or fix the derivation that made it",
    )


def _changed(path: bytes) -> StoreError:
    return StoreError(
        f"{os.fsdecode(path)} changed while it was read",
        hint="a store path must not change: check it with nix-store --verify --check-contents",
    )
