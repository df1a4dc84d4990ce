"""Write files completely or not at all, and explain the errors of a disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from nixgen.errors import StoreError

__all__ = ["disk_errors", "write_atomically"]

_HINTS = {
    errno.ENOSPC: "free some space and run the command again; nothing was lost",
    errno.EDQUOT: "the disk quota is used up; free some space and run the command again",
    errno.EROFS: "the file system is mounted read-only; use a copy of the project that can be written",
    errno.EACCES: "make it writable for this user",
    errno.EPERM: "make it writable for this user",
    errno.ENOENT: "no folder can be made there; choose another place",
    errno.ENOTDIR: "something that is no folder is in the way; move it",
    errno.EEXIST: "a file is in the way where a folder should be; move it",
    errno.EISDIR: "a folder is in the way; move it",
}


def write_atomically(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file in one step: readers see the old or the new content, even after a crash.

    :param path: the file. Its folder is made.
    :param content: the new content.
    :param mode: the permissions; None for 0666 without the bits of the user's umask.
    :raises StoreError: the disk is full or read-only, or the user may not write there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # not a temporary file of the user alone: other users may read these files
            with open(temporary, "xb") as stream:  # noqa: PTH123 - thousands of files
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
                stream.write(content)
            os.replace(temporary, path)  # noqa: PTH105 - thousands of files
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of a full, read-only or forbidden disk into a `StoreError`.

    :param path: the file that the error names.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _HINTS:
            raise
        raise StoreError(
            f"cannot write {path}: {os.strerror(error.errno)}", hint=_HINTS[error.errno]
        ) from error
