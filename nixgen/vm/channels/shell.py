"""Commands in a guest, over the plain root shell on its virtio port.

The guest prints one line, ``NIXGEN-SHELL-READY``, and is then a bash that reads commands. Each command is
sent with a fresh random mark; its answer is::

    <mark>{
    base64 of standard output …
    <mark>} STATUS
    base64 of standard error's end …
    <mark>.

Anything between answers is skipped, such as a late one. No command ever holds the port itself: its output is
a pipe to base64, so a daemon it leaves behind cannot chatter into an answer.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import shlex
import socket
import threading
import time

from attrs import frozen

from nixgen.errors import EngineError, TestError

__all__ = ["READY", "Reply", "Shell", "ShellClosed"]

READY = b"NIXGEN-SHELL-READY"

# How long the guest may take to answer after its watchdog should have ended the command.
_GRACE_SECONDS = 60.0
_STDERR_TAIL = 16384
# Named by the guest's shell, whose process id nobody else's is.
_ERRORS = '"${TMPDIR:-/tmp}/.nixgen-stderr-$$"'
_FILE_SECONDS = 900.0
_POLL_SECONDS = 1.0


class ShellClosed(Exception):  # noqa: N818 - a state, not always an error
    """The guest is gone: powered off, crashed, or QEMU ended. ``output`` is what had come until then."""

    def __init__(self, output: bytes = b"") -> None:
        super().__init__("the machine's shell closed")
        self.output = output


@frozen(kw_only=True)
class Reply:
    """Exit status (124 when the timeout ended the command), output, end of errors."""

    status: int
    stdout: bytes
    stderr: bytes = b""


class Shell:
    """The host's end of the channel. One command at a time; safe to use from several threads."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._socket = connection
        self._name = name
        self._buffer = b""
        self._lock = threading.Lock()

    def wait_ready(self, timeout: float) -> bool:
        """Wait for the guest's greeting; False when it does not come in time.

        :raises ShellClosed: the guest ended before.
        """
        with self._lock:
            end = time.monotonic() + timeout
            while True:
                line = self._line(end)
                if line is None:
                    return False
                if READY in line:
                    return True

    def run(self, command: str, *, timeout: float | None) -> Reply:
        """Run ``command`` under ``bash -euo pipefail`` with empty standard input.

        :param timeout: seconds, kept by the guest; None waits for ever.
        :raises ShellClosed: the guest ended meanwhile.
        :raises EngineError: no answer although the timeout has passed: the channel is unusable.
        """
        # A subshell of the shell that is there: no second bash to load, which an emulated CPU feels.
        body = f"eval {shlex.quote(f'set -euo pipefail; {command}')}"
        if timeout is not None:
            return self._transact(_limited(body, max(1, round(timeout))), timeout)
        return self._transact(f"( {body} ) </dev/null", None)

    def write_file(self, content: bytes, target: str) -> Reply:
        """Write ``content`` to the guest's file ``target``, byte for byte."""
        # The bytes follow the command on the same channel and `head` takes exactly as many. The last `cat`
        # takes those that could not be written: a full disk must not turn them into shell commands.
        drain = "{ cat >" + shlex.quote(target) + "; status=$?; cat >/dev/null; exit $status; }"
        command = f"( head -c {len(content)} | {drain} )"
        return self._transact(command, _FILE_SECONDS, payload=content)

    def send(self, line: str) -> None:
        """Send a command whose answer is not wanted, such as one that ends the machine."""
        with self._lock:
            self._send(f"( eval {shlex.quote(line)} ) </dev/null >/dev/null\n".encode())

    def close(self) -> None:
        self._socket.close()

    def _transact(self, command: str, timeout: float | None, *, payload: bytes = b"") -> Reply:
        if "\0" in command:
            raise TestError("a command cannot contain a NUL character", hint="write it to a file")
        mark = secrets.token_hex(8)
        # The errors' file is emptied, not removed, and appended to: no process to start for it, and a daemon
        # that keeps it open writes no holes.
        wrapped = (
            f": >{_ERRORS}; printf '\\n%s\\n' {mark}{{; {{ {command}; }} 2>>{_ERRORS} | base64; "
            f"printf '\\n%s %s\\n' {mark}}} \"${{PIPESTATUS[0]}}\"; "
            f"[ ! -s {_ERRORS} ] || tail -c {_STDERR_TAIL} {_ERRORS} | base64; "
            f"printf '\\n%s\\n' {mark}.\n"
        )
        with self._lock:
            self._send(wrapped.encode())
            if payload:
                self._send(payload)
            end = None if timeout is None else time.monotonic() + timeout + _GRACE_SECONDS
            self._until(f"{mark}{{", end, [])
            output: list[bytes] = []
            try:
                status = self._until(f"{mark}}}", end, output)
                errored: list[bytes] = []
                self._until(f"{mark}.", end, errored)
            except ShellClosed as closed:
                raise ShellClosed(_decode(output)) from closed
        return Reply(status=int(status), stdout=_decode(output), stderr=_decode(errored))

    def _until(self, mark: str, end: float | None, lines: list[bytes]) -> str:
        """Collect lines until one starts with ``mark``; what follows the mark on it."""
        wanted = mark.encode()
        while True:
            line = self._line(end)
            if line is None:
                raise EngineError(
                    f"{self._name} stopped answering its shell",
                    hint="look at the end of its console below; give the command a longer timeout",
                )
            if line.startswith(wanted):
                return line[len(wanted) :].decode().strip()
            lines.append(line)

    def _line(self, end: float | None) -> bytes | None:
        """The next line without its end; None when ``end`` (monotonic) passes first."""
        while b"\n" not in self._buffer:
            left = _POLL_SECONDS if end is None else end - time.monotonic()
            if left <= 0:
                return None
            try:
                self._socket.settimeout(min(left, _POLL_SECONDS))
                chunk = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError as error:
                raise ShellClosed from error
            if not chunk:
                raise ShellClosed
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(_GRACE_SECONDS)
            self._socket.sendall(data)
        except TimeoutError as error:
            raise EngineError(
                f"{self._name} does not read from its shell",
                hint="look at the end of its console below",
            ) from error
        except OSError as error:
            raise ShellClosed from error


def _limited(body: str, seconds: int) -> str:
    """``body`` in a process group of its own, which a watchdog ends after ``seconds`` with status 124.

    Not timeout(1): busybox's ends one process and leaves the others, which keep the output open.
    """
    return (
        "( set -m; SECONDS=0; "
        f"( set +m; {body} ) </dev/null 2>&3 3>&- & command=$!; "
        f"( sleep {seconds}; kill -s TERM -- -$command; sleep 5; kill -s KILL -- -$command ) "
        ">/dev/null 3>&- & watchdog=$!; "
        "wait $command; status=$?; kill -s KILL -- -$watchdog; "
        f"[ $status -le 128 ] || [ $SECONDS -lt {seconds} ] || status=124; "
        # Bash's own words about its jobs are nobody's business.
        "exit $status ) 3>&2 2>/dev/null"
    )


def _decode(lines: list[bytes]) -> bytes:
    try:
        return base64.b64decode(b"".join(lines), validate=False)
    except binascii.Error:
        # Cut off in the middle by a machine that ended: keep the whole quanta.
        joined = b"".join(lines)
        return base64.b64decode(joined[: len(joined) // 4 * 4])
