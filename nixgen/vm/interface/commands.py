"""The commands of a machine: the base class of the test driver's interface.

Names, signatures and behaviour are those of the NixOS test driver (nixos/lib/test-driver in nixpkgs),
so its test scripts run unchanged. Times are in seconds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from nixgen.errors import TestError
from nixgen.vm.channels.shell import ShellClosed
from nixgen.vm.qemu.guest import QemuGuest
from nixgen.vm.record.journal import Journal, Step

__all__ = ["Commands", "retry"]

_FIRST_PAUSE = 0.1
_PAUSE = 1.0


def retry(fn: Callable[[bool], bool], timeout_seconds: float = 900) -> None:
    """Call a function until it returns True. The pauses grow from 0.1 s to 1 s.

    :param fn: called with False; when the time is up, once more with True.
    :param timeout_seconds: the time.
    :raises TestError: the last call returned False, too.
    """
    end = time.monotonic() + timeout_seconds
    pause = _FIRST_PAUSE
    while time.monotonic() < end:
        if fn(False):
            return
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        pause = min(pause * 1.5, _PAUSE)
    if not fn(True):
        raise TestError(f"action timed out after {timeout_seconds:g} seconds")


class Commands:
    """A machine that runs commands. The first command boots it.

    :param guest: the machine's process and channels.
    :param journal: records the steps.
    """

    def __init__(self, guest: QemuGuest, journal: Journal) -> None:
        self.name = guest.name
        self._guest = guest
        self._journal = journal

    def __repr__(self) -> str:
        return f"<Machine {self.name!r}>"

    def log(self, msg: str) -> None:
        """Write a line into the report.

        :param msg: the line.
        """
        self._journal.log(msg, self.name)

    def nested(self, msg: str) -> contextlib.AbstractContextManager[Step]:
        """Group the steps of a ``with`` block in the report.

        :param msg: the title of the group.
        """
        return self._journal.step("action", msg, self.name)

    def execute(
        self,
        command: str,
        check_return: bool = True,  # noqa: FBT001, FBT002 - the driver's signature
        check_output: bool = True,  # noqa: FBT001, FBT002 - the driver's signature
        timeout: float | None = 900,
    ) -> tuple[int, str]:
        """Run a command in bash under ``set -euo pipefail``.

        The end of its standard output is awaited, so a command that stays in the background must
        close it (``>&2``).

        :param command: text for bash.
        :param check_return: False returns the status -1, and the machine may end meanwhile.
        :param check_output: False awaits nothing, and returns the status -2.
        :param timeout: seconds; a command that takes longer ends with the status 124.
        :returns: exit status and standard output.
        :raises TestError: the machine ended while the command ran.
        :raises EngineError: the machine never came up, or stopped answering.
        """
        self._connected()
        with self._journal.step("command", command, self.name) as step:
            if not check_output:
                self._guest.shell.send(command)
                return -2, ""
            try:
                status, output = self._run(command, step, timeout)
            except ShellClosed as closed:
                if not check_return:
                    return -1, closed.output.decode(errors="replace")
                raise self.ended(f"while it ran: {command}") from closed
            return (status if check_return else -1), output

    def succeed(self, *commands: str, timeout: float | None = None) -> str:
        """Run commands in order; each must succeed.

        :param commands: texts for bash.
        :param timeout: seconds for each command; None waits without limit.
        :returns: their outputs, joined.
        :raises TestError: one of them failed; the details are its output and errors.
        """
        return "".join(self._expect(command, "succeed", timeout) for command in commands)

    def fail(self, *commands: str, timeout: float | None = None) -> str:
        """Run commands in order; each must fail.

        :param commands: texts for bash.
        :param timeout: seconds for each command; None waits without limit.
        :returns: their outputs, joined.
        :raises TestError: one of them succeeded; the details are its output and errors.
        """
        return "".join(self._expect(command, "fail", timeout) for command in commands)

    def wait_until_succeeds(self, command: str, timeout: float = 900) -> str:
        """Repeat a command until it succeeds.

        :param command: text for bash.
        :param timeout: seconds for all attempts.
        :returns: the output of the successful attempt.
        :raises TestError: it did not succeed in time; the details are its last output.
        """
        return self._repeat(command, f"success: {command}", lambda status: status == 0, timeout)

    def wait_until_fails(self, command: str, timeout: float = 900) -> str:
        """Repeat a command until it fails; errors as for `wait_until_succeeds`.

        :param command: text for bash.
        :param timeout: seconds for all attempts.
        :returns: the output of the attempt that failed.
        """
        return self._repeat(command, f"failure: {command}", lambda status: status != 0, timeout)

    def ended(self, when: str) -> TestError:
        """The error about a machine that powered off by itself.

        :param when: ends the sentence, such as "while it ran: true".
        """
        self._guest.wait_exit(5)
        return TestError(
            f"{self.name} ended {when}",
            hint="the end of its console is below",
            details=self._guest.console_tail(),
        )

    def _connected(self) -> None:
        if not self._guest.connected:
            with self.nested("wait for the machine to finish booting"):
                self._guest.connect()

    def _expect(self, command: str, wanted: str, timeout: float | None) -> str:
        self._connected()
        with self._journal.step("command", command, self.name) as step:
            try:
                status, output = self._run(command, step, timeout)
            except ShellClosed as closed:
                raise self.ended(f"while it ran: {command}") from closed
            if (status == 0) == (wanted == "succeed"):
                return output
            step.failed = True
            if wanted == "fail":
                raise TestError(
                    f"{self.name}: command unexpectedly succeeded: {command}",
                    details=step.output.splitlines(),
                )
            late = " (timed out)" if status == 124 and timeout is not None else ""
            raise TestError(
                f"{self.name}: command failed with exit status {status}{late}: {command}",
                details=step.output.splitlines()[-40:],
            )

    def _repeat(
        self, command: str, what: str, wanted: Callable[[int], bool], timeout: float
    ) -> str:
        last = ""

        def attempt(_last_try: bool) -> bool:  # noqa: FBT001 - called by `retry`
            nonlocal last
            status, last = self.execute(command, timeout=timeout)
            return wanted(status)

        with self.nested(f"wait for {what}"):
            try:
                retry(attempt, timeout)
            except TestError as error:
                if error.message.startswith("action timed out"):
                    raise TestError(
                        f"{self.name}: waited {timeout:g} s in vain for {what}",
                        details=last.splitlines()[-40:],
                    ) from None
                raise
        return last

    def _run(self, command: str, step: Step, timeout: float | None) -> tuple[int, str]:
        reply = self._guest.shell.run(command, timeout=timeout)
        output = reply.stdout.decode(errors="replace")
        step.note(output + reply.stderr.decode(errors="replace"))
        step.status = reply.status
        return reply.status, output
