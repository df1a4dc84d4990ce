"""Make standard output and standard error safe when they are closed, full, or not UTF-8.

A stream that the shell closed, a pipe whose reader left and a full disk must not end in a
traceback.
"""

from __future__ import annotations

import io
import os
import sys

__all__ = [
    "INTERRUPTED",
    "finish",
    "prepare",
    "print_interrupted",
    "stdout_is_broken",
    "write_text",
]

#: The work may be done, but its result did not reach its reader.
_CUT_OFF = 1
_OUTSIDE = 3
INTERRUPTED = 130
"""The exit status of a command that Ctrl-C or SIGTERM ended."""


def prepare() -> None:
    """Make both streams safe for any text. Call it before anything else is opened."""
    # Descriptors 0 to 2 must be taken: the next file opened would get a free one, and a child that
    # prints would write into that file.
    opened = os.open(os.devnull, os.O_RDWR)
    while opened <= 2:
        opened = os.open(os.devnull, os.O_RDWR)
    os.close(opened)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the program that started nixgen
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - open until the process ends
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
    """Write a document to standard output as UTF-8, whatever the encoding of the terminal.

    :param text: the document.
    """
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def stdout_is_broken() -> bool:
    """True if standard output cannot be written: its disk is full, or its reader left."""
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def finish(status: int) -> int:
    """Flush standard output.

    :param status: the exit status of the command.
    :returns: the same status. If the command did well but its output could not be written: 1 when
        the reader left, as `head` does, and 3 when the disk is full.
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


def print_interrupted() -> int:
    """Print that the command was interrupted, and return its exit status."""
    print(
        "interrupted; everything finished so far is kept, run the command again to go on",
        file=sys.stderr,
    )
    return INTERRUPTED


def _discard() -> None:
    """Discard the rest of the output, so that Python's own flush at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
