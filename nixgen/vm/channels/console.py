"""The serial console of one boot. A thread reads it; the lines are kept for reports and for `wait`."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable

__all__ = ["Console"]

_TAIL_LINES = 60
# systemd colours its status lines, and firmware moves the cursor.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_c])")


class Console:
    """A serial console that is read until its other end closes.

    :param connection: the host's end of the console.
    :param on_line: called with each line, without colours, from the thread that reads.
    """

    def __init__(self, connection: socket.socket, on_line: Callable[[str], None]) -> None:
        self._socket = connection
        self._on_line = on_line
        self._lines: list[str] = []
        self._cursor = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="console", daemon=True)
        self._thread.start()

    def tail(self, count: int = _TAIL_LINES) -> tuple[str, ...]:
        """The last lines.

        :param count: how many at most.
        """
        with self._changed:
            return tuple(self._lines[-count:])

    def wait(self, pattern: str, timeout: float | None) -> bool:
        """Wait for text. A match consumes its lines, and all lines before it, for later calls.

        :param pattern: a regular expression; it may span lines.
        :param timeout: seconds; None waits until the machine ends.
        :returns: False when the time is up, or the machine has ended without printing the text.
        """
        expression = re.compile(pattern)
        end = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            seen = -1
            while True:
                if len(self._lines) != seen:
                    seen = len(self._lines)
                    text = "\n".join(self._lines[self._cursor :])
                    if found := expression.search(text):
                        self._cursor += text.count("\n", 0, found.end()) + 1
                        return True
                left = None if end is None else end - time.monotonic()
                if self._closed or (left is not None and left <= 0):
                    return False
                # Short waits, so that a signal's handler runs soon.
                self._changed.wait(1.0 if left is None else min(left, 1.0))

    def send(self, text: str) -> None:
        """Type on the console.

        :param text: sent as UTF-8.
        """
        self._socket.sendall(text.encode())

    def close(self) -> None:
        """Read the last lines, then close. To be called when the machine has ended."""
        self._thread.join(timeout=5)
        self._socket.close()

    def _read(self) -> None:
        pending = b""
        while True:
            try:
                chunk = self._socket.recv(1 << 16)
            except OSError:
                chunk = b""
            *complete, pending = (pending + chunk).split(b"\n")
            if not chunk and pending:
                complete, pending = [*complete, pending], b""
            for raw in complete:
                line = _ESCAPES.sub("", raw.decode("utf-8", "replace")).replace("\r", "").rstrip()
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()
                self._on_line(line)
            if not chunk:
                with self._changed:
                    self._closed = True
                    self._changed.notify_all()
                return
