"""Running commands: the one place that starts children and waits for them."""

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
# How often a child that keeps its pipes open in a grandchild is asked whether it has ended itself.
_POLL_SECONDS = 0.25


class Runner(Protocol):
    """Executes commands. A non-zero status is returned, not raised."""

    def run(self, command: Command) -> Completed:
        """Run to the end, with both outputs captured.

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
        """Run to the end, giving each line of standard error (without its newline) to ``on_line``
        as it comes; standard output is captured. Errors as for `run`; whatever ``on_line`` raises
        stops the child and passes through.

        :param on_output: gets the lines of standard output, which is then not captured.
        :param on_tick: gets the child's process id a few times a second, as long as it runs; may raise, too.
        """
        ...


@frozen(kw_only=True)
class SubprocessRunner:
    """Real children, each in its own process group, none outliving the call that started it.

    Ctrl-C, a passed deadline and any other exception terminate the child's group, wait ``grace``
    seconds, then kill it.
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
    """Cuts what comes in pieces into lines."""

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
        """A last line may lack its newline."""
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
    """Feed and drain the child until its pipes close or it ends; False when the deadline passes."""
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
                        unsent = unsent[:0]  # the child reads no more, which is its right
                    if not unsent:
                        selector.unregister(key.fileobj)
                        child.stdin.close()
                elif chunk := os.read(key.fd, _CHUNK):
                    key.data(chunk)
                else:
                    selector.unregister(key.fileobj)
            if not ready and ended:
                return True  # a grandchild holds the pipes; nothing of the child's is left in them
            if not ready:
                # What it wrote last, after the pipes were looked at, is still to be read.
                ended = child.poll() is not None
    return True
