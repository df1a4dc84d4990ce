"""Run commands to their end."""

from __future__ import annotations

import collections
import os
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from nixgen.errors import WorkError
from nixgen.programs.child import GRACE_SECONDS, open_child, remaining, stop
from nixgen.programs.command import Command, Completed

__all__ = ["Runner", "SubprocessRunner"]

_CHUNK = 1 << 16
_TAIL_LINES = 200
# The seconds between two looks at a child that may have ended while a grandchild keeps its pipes open.
_POLL_SECONDS = 0.25


class Runner(Protocol):
    """Runs commands. An exit status other than 0 is returned, not raised."""

    def run(self, command: Command) -> Completed:
        """Run a command to its end, and capture both outputs.

        :param command: the command.
        :raises MissingToolError: the program is not installed.
        :raises WorkError: the command's deadline passed; the child has been stopped.
        """
        ...

    def lines(
        self,
        command: Command,
        on_line: Callable[[bytes], None],
        *,
        on_output: Callable[[bytes], None] | None = None,
        on_tick: Callable[[int], None] | None = None,
    ) -> Completed:
        """Run a command to its end, and pass on each line at once. Errors are those of `run`.

        An exception of a callback stops the child, and is raised again.

        :param command: the command.
        :param on_line: gets each line of standard error, without its newline.
        :param on_output: gets each line of standard output. Without it, standard output is
            captured.
        :param on_tick: gets the number of the child's process, a few times a second.
        """
        ...


@frozen(kw_only=True)
class SubprocessRunner:
    """Runs real programs, each in its own process group. No child outlives the call that started
    it.

    After Ctrl-C, a passed deadline or any other exception, `stop` ends the process group.

    :param grace: the seconds between SIGTERM and SIGKILL.
    """

    grace: float = GRACE_SECONDS

    def run(self, command: Command) -> Completed:
        stderr = bytearray()
        status, stdout = self._pump(command, stderr.extend)
        return Completed(status=status, stdout=stdout, stderr=bytes(stderr))

    def lines(
        self,
        command: Command,
        on_line: Callable[[bytes], None],
        *,
        on_output: Callable[[bytes], None] | None = None,
        on_tick: Callable[[int], None] | None = None,
    ) -> Completed:
        tail: collections.deque[bytes] = collections.deque(maxlen=_TAIL_LINES)

        def deliver(line: bytes) -> None:
            tail.append(line)
            on_line(line)

        errors = _Lines(deliver)
        output = None if on_output is None else _Lines(on_output)
        status, stdout = self._pump(command, errors, output, on_tick)
        for lines in (output, errors):
            if lines is not None:
                lines.end()
        return Completed(status=status, stdout=stdout, stderr=b"\n".join(tail))

    def _pump(
        self,
        command: Command,
        on_stderr: Callable[[bytes], object],
        on_stdout: Callable[[bytes], object] | None = None,
        on_tick: Callable[[int], None] | None = None,
    ) -> tuple[int, bytes]:
        end = None if command.deadline is None else time.monotonic() + command.deadline
        child = open_child(
            command,
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        stdout = bytearray()
        with child:
            try:
                finished = _exchange(
                    child,
                    command.stdin,
                    on_stdout or stdout.extend,
                    on_stderr,
                    end,
                    on_tick=on_tick,
                )
                if finished:
                    # Both pipes are closed, but the child may still be running.
                    finished = _wait(child, end)
            finally:
                stop(child, grace=self.grace)
        if not finished:
            raise WorkError(
                f"{command.program} did not finish within {command.deadline:g} s and was stopped",
                details=(f"command: {command}",),
            )
        return child.returncode, bytes(stdout)


class _Lines:
    """Joins chunks of bytes, and passes on each line."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self._deliver = deliver
        self._pending = bytearray()

    def __call__(self, chunk: bytes) -> None:
        self._pending.extend(chunk)
        if b"\n" in chunk:
            *complete, rest = bytes(self._pending).split(b"\n")
            self._pending[:] = rest
            for line in complete:
                self._deliver(line)

    def end(self) -> None:
        """Pass on the last line, which may have no newline."""
        if self._pending:
            self._deliver(bytes(self._pending))


def _wait(child: subprocess.Popen[bytes], end: float | None) -> bool:
    try:
        child.wait(timeout=remaining(end))
    except subprocess.TimeoutExpired:
        return False
    return True


def _exchange(
    child: subprocess.Popen[bytes],
    stdin: bytes | None,
    on_stdout: Callable[[bytes], object],
    on_stderr: Callable[[bytes], object],
    end: float | None,
    *,
    on_tick: Callable[[int], None] | None = None,
) -> bool:
    """Write the input and read both outputs until the pipes close or the child ends.

    :return: False when the deadline passes.
    """
    unsent = memoryview(stdin or b"")
    ticked = time.monotonic()
    ended = False
    with selectors.DefaultSelector() as selector:
        for stream, sink in ((child.stdout, on_stdout), (child.stderr, on_stderr)):
            assert stream is not None  # noqa: S101 - opened as pipes
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, sink)
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
            selector.register(child.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = remaining(end)
            if left == 0:
                return False
            wait = 0 if ended else _POLL_SECONDS
            ready = selector.select(wait if left is None else min(left, wait))
            if on_tick is not None and time.monotonic() - ticked >= _POLL_SECONDS:
                ticked = time.monotonic()
                on_tick(child.pid)
            for key, _ in ready:
                if key.fileobj is child.stdin:
                    try:
                        unsent = unsent[os.write(key.fd, unsent[:_CHUNK]) if unsent else 0 :]
                    except BrokenPipeError:
                        unsent = unsent[:0]  # the child does not read the rest, which is no error
                    if not unsent:
                        selector.unregister(key.fileobj)
                        child.stdin.close()
                elif chunk := os.read(key.fd, _CHUNK):
                    key.data(chunk)
                else:
                    selector.unregister(key.fileobj)
            if not ready and ended:
                return True  # a grandchild holds the pipes; all output of the child is read
            if not ready:
                # The child may have written after the pipes were read, so they are read once more.
                ended = child.poll() is not None
    return True
