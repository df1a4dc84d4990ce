"""Commands in a guest, over the root shell on its virtio port.

The guest prints one line, ``NIXGEN-SHELL-READY``, and is then a bash that reads commands. Each
command is sent with a fresh random mark. Its answer is::

    <mark>{
    base64 of standard output …
    <mark>} STATUS
    base64 of standard error's end …
    <mark>.

Text between answers is skipped, such as a late answer. A command's output is a pipe to base64, not
the port itself, so a daemon that a command leaves behind cannot write into a later answer.
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

# The time that the guest has for its answer after its watchdog should have ended the command.
_GRACE_SECONDS = 60.0
_STDERR_TAIL = 16384
# The name has the process id of the guest's shell, so no other shell uses the file.
_ERRORS = '"${TMPDIR:-/tmp}/.nixgen-stderr-$$"'
_FILE_SECONDS = 900.0
_POLL_SECONDS = 1.0


class ShellClosed(Exception):  # noqa: N818 - a state, not always an error
    """The guest is gone: powered off, crashed, or QEMU ended.

    :param output: the output of the command up to that moment.
    """

    def __init__(self, output: bytes = b"") -> None:
        super().__init__("the machine's shell closed")
        self.output = output


@frozen(kw_only=True)
class Reply:
    """The result of a command.

    :param status: exit status; 124 when the timeout ended the command.
    :param stdout: standard output, whole.
    :param stderr: the last 16 KiB of standard error.
    """

    status: int
    stdout: bytes
    stderr: bytes = b""


class Shell:
    """The host's end of the shell. It runs one command at a time; any thread may use it.

    :param connection: the host's end of the port.
    :param name: of the machine, for errors.
    """

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._socket = connection
        self._name = name
        self._buffer = b""
        self._lock = threading.Lock()

    def wait_ready(self, timeout: float) -> bool:
        """Wait for the guest's greeting.

        :param timeout: seconds.
        :returns: False when it does not come in time.
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
        """Run a command under ``bash -euo pipefail`` with empty standard input.

        :param command: text for bash.
        :param timeout: seconds, measured by the guest; None waits without limit.
        :raises ShellClosed: the guest ended meanwhile.
        :raises EngineError: the guest does not answer although the time is up; the shell cannot be
            used any more.
        """
        # A subshell of the running shell: on an emulated processor, loading a second bash takes long.
        body = f"eval {shlex.quote(f'set -euo pipefail; {command}')}"
        if timeout is not None:
            return self._transact(_limited(body, max(1, round(timeout))), timeout)
        return self._transact(f"( {body} ) </dev/null", None)

    def write_file(self, content: bytes, target: str) -> Reply:
        """Write a file in the guest.

        :param content: all bytes of the file.
        :param target: path in the guest.
        """
        # The bytes follow the command on the same channel, and `head` takes exactly as many. The last
        # `cat` takes the bytes that could not be written: a full disk must not turn them into commands.
        drain = "{ cat >" + shlex.quote(target) + "; status=$?; cat >/dev/null; exit $status; }"
        command = f"( head -c {len(content)} | {drain} )"
        return self._transact(command, _FILE_SECONDS, payload=content)

    def send(self, line: str) -> None:
        """Send a command without waiting for an answer, such as one that ends the machine.

        :param line: text for bash.
        """
        with self._lock:
            self._send(f"( eval {shlex.quote(line)} ) </dev/null >/dev/null\n".encode())

    def close(self) -> None:
        """Close the host's end."""
        self._socket.close()

    def _transact(self, command: str, timeout: float | None, *, payload: bytes = b"") -> Reply:
        if "\0" in command:
            raise TestError("a command cannot contain a NUL character", hint="write it to a file")
        mark = secrets.token_hex(8)
        # The file of errors is emptied and appended to, not removed: that needs no process, and a daemon
        # that keeps the file open writes no holes.
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
        """Collect lines until one starts with ``mark``, and return the rest of that line."""
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
    """Run ``body`` in its own process group, which a watchdog ends after ``seconds`` with status 124.

    timeout(1) is no help: that of busybox ends one process, and its children keep the output open.
    """
    return (
        "( set -m; SECONDS=0; "
        f"( set +m; {body} ) </dev/null 2>&3 3>&- & command=$!; "
        f"( sleep {seconds}; kill -s TERM -- -$command; sleep 5; kill -s KILL -- -$command ) "
        ">/dev/null 3>&- & watchdog=$!; "
        "wait $command; status=$?; kill -s KILL -- -$watchdog; "
        f"[ $status -le 128 ] || [ $SECONDS -lt {seconds} ] || status=124; "
        # Bash's messages about its jobs are no part of the output.
        "exit $status ) 3>&2 2>/dev/null"
    )


def _decode(lines: list[bytes]) -> bytes:
    try:
        return base64.b64decode(b"".join(lines), validate=False)
    except binascii.Error:
        # The machine ended in the middle: decode the whole groups of four characters.
        joined = b"".join(lines)
        return base64.b64decode(joined[: len(joined) // 4 * 4])
