"""Writing a Nix archive (NAR) of a path.

The format is Eelco Dolstra's thesis, section 5.2: length-prefixed strings padded to eight bytes, directory
entries in byte order of their names, and of the metadata only the owner's execute bit. The bytes equal
those of ``nix-store --dump``.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nixgen.cache.hashes import Hash
from nixgen.errors import StoreError

__all__ = ["nar_hash", "string_size", "write_nar"]

CHUNK = 1 << 20
"""Bytes after which a chunk is handed out, and the unit in which files are read."""


def _string(value: bytes) -> bytes:
    size = len(value)
    return size.to_bytes(8, "little") + value + bytes(-size % 8)


def string_size(*values: bytes) -> int:
    """The bytes that ``values`` take in an archive."""
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
    """The NAR of ``path`` in pieces of about ``chunk`` bytes, none of them empty.

    Memory is bounded by ``2 * chunk`` plus one directory listing per level, whatever the size of the tree.

    :raises StoreError: the path is missing or unreadable, changes while it is read, or holds something
        that a NAR cannot (a socket, a device, a pipe).
    """
    try:
        yield from _Writer(chunk).pieces(os.fsencode(path))
    except OSError as error:
        raise StoreError(
            f"cannot read {os.fsdecode(error.filename or path)}: {error.strerror}",
            hint=f"check the path with: nix-store --verify-path {os.fsdecode(path)}",
        ) from error


def nar_hash(path: str | Path) -> Hash:
    """SHA-256 over the NAR of ``path``. Errors as for `write_nar`."""
    digest = hashlib.sha256()
    for piece in write_nar(path):
        digest.update(piece)
    return Hash("sha256", digest.digest())


class _Writer:
    """Collects small pieces until a chunk is full, so that consumers see few, large ones."""

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk
        self._pending: list[bytes] = [_MAGIC]
        self._size = len(_MAGIC)

    def pieces(self, root: bytes) -> Iterator[bytes]:
        # One iterator per open directory instead of recursion: depth costs no nested generators.
        stack: list[Iterator[tuple[bytes, bytes, bool, bool]]] = []
        mode = os.lstat(root).st_mode
        if stat.S_ISDIR(mode):
            self._add(_DIRECTORY)
            stack.append(_entries(root))
        else:
            yield from self._leaf(root, stat.S_ISLNK(mode))
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
                yield from self._leaf(path, is_link)
                self._add(_CLOSE)
            if self._size >= self._chunk:
                yield self._take()
        if self._size:
            yield self._take()

    def _add(self, piece: bytes) -> None:
        self._pending.append(piece)
        self._size += len(piece)

    def _take(self) -> bytes:
        piece = b"".join(self._pending)
        self._pending.clear()
        self._size = 0
        return piece

    def _leaf(self, path: bytes, is_link: bool) -> Iterator[bytes]:  # noqa: FBT001
        if is_link:
            self._add(_SYMLINK + _string(os.readlink(path)) + _CLOSE)  # noqa: PTH115 - bytes
            return
        # O_NONBLOCK: opening a pipe must not wait for its writer before it is refused.
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise _unsupported(path) from error
            raise
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unsupported(path)
            size = status.st_size
            header = _EXECUTABLE if status.st_mode & stat.S_IXUSR else _REGULAR
            self._add(header + size.to_bytes(8, "little"))
            left = size
            while left:
                piece = os.read(descriptor, min(left, self._chunk))
                if not piece:
                    raise _changed(path)
                left -= len(piece)
                self._add(piece)
                if self._size >= self._chunk:
                    yield self._take()
            if os.read(descriptor, 1):
                raise _changed(path)
        finally:
            os.close(descriptor)
        self._add(bytes(-size % 8) + _CLOSE)


def _entries(directory: bytes) -> Iterator[tuple[bytes, bytes, bool, bool]]:
    """Name, path, is a symlink, is a directory; in byte order of the names."""
    with os.scandir(directory) as found:
        entries = sorted(found, key=lambda entry: entry.name)
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
