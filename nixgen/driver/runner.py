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

from nixgen.driver.command import Command, Completed
from nixgen.driver.process import GRACE_SECONDS, open_child, remaining, stop
from nixgen.errors import WorkError

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

    def lines(self, command: Command, on_line: Callable[[bytes], None]) -> Completed:
        """Run to the end, giving each line of standard error (without its newline) to ``on_line``
        as it comes; standard output is captured. Errors as for `run`; whatever ``on_line`` raises
        stops the child and passes through.
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

    def lines(self, command: Command, on_line: Callable[[bytes], None]) -> Completed:
        tail: collections.deque[bytes] = collections.deque(maxlen=_TAIL_LINES)
        pending = bytearray()

        def deliver(line: bytes) -> None:
            tail.append(line)
            on_line(line)

        def split(chunk: bytes) -> None:
            pending.extend(chunk)
            if b"\n" not in chunk:
                return
            *complete, rest = bytes(pending).split(b"\n")
            pending[:] = rest
            for line in complete:
                deliver(line)

        status, stdout = self._pump(command, split)
        if pending:
            deliver(bytes(pending))
        return Completed(status=status, stdout=stdout, stderr=b"\n".join(tail))

    def _pump(self, command: Command, on_stderr: Callable[[bytes], object]) -> tuple[int, bytes]:
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
                finished = _exchange(child, command.stdin, stdout.extend, on_stderr, end)
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
) -> bool:
    """Feed and drain the child until its pipes close or it ends; False when the deadline passes."""
    unsent = memoryview(stdin or b"")
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
            ready = selector.select(_POLL_SECONDS if left is None else min(left, _POLL_SECONDS))
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
            if not ready and child.poll() is not None:
                return True  # a grandchild holds the pipes; nothing of the child's is left in them
    return True
