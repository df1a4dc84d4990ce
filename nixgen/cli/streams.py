"""Standard output and standard error that can be closed, full, or of an encoding other than UTF-8.

A file that a shell closed, a pipe whose reader left and a full disk are no bugs of nixgen: none of
them may end in a traceback.
"""

from __future__ import annotations

import io
import os
import sys

__all__ = ["finish", "prepare", "stdout_is_broken", "write_text"]

#: The work may be done, but its result did not reach its reader.
_CUT_OFF = 1
_OUTSIDE = 3


def prepare() -> None:
    """Make both streams safe to print any text on. To be called before anything else is opened."""
    # Descriptors 0 to 2 must be taken: the next file opened would get a free one, and a child that
    # prints would write into that file.
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started nixgen
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        else:
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout.buffer, io.RawIOBase):
        # PYTHONUNBUFFERED: every print would fail by itself, in the middle of the work
        encoding, raw = sys.stdout.encoding, sys.stdout.detach()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=encoding,
            errors="backslashreplace",
            line_buffering=raw.isatty(),
        )


def write_text(text: str) -> None:
    """Write a document to standard output as UTF-8, whatever the encoding of the terminal."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def stdout_is_broken() -> bool:
    """Whether standard output cannot take what was printed: its disk is full, or its reader left."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def finish(status: int) -> int:
    """Flush standard output.

    :param status: exit status of the command.
    :returns: that status; when the output could not be written and the command itself did well, 1 for
        a reader that left, as `head` does, and 3 for a disk that is full.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard()
        return status or _CUT_OFF
    except OSError as error:
        _discard()
        print(f"error: cannot write to standard output: {error.strerror}", file=sys.stderr)
        return status or _OUTSIDE
    return status


def _discard() -> None:
    """Send the rest of the output nowhere, so that Python's own flush at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
