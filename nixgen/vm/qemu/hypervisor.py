"""Starts QEMU in such a way that it ends with its test, whatever ends the test.

QEMU is started through setpriv(1), which asks the kernel for SIGKILL when the parent dies. For Linux
the parent is the *thread* that forked. So one thread, which lives as long as the run, forks every QEMU
of a run.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from nixgen.programs.child import missing_tool, stop
from nixgen.programs.command import Command

__all__ = ["Hypervisor"]


class Hypervisor:
    """The QEMU processes of one run. The end of its ``with`` block ends them."""

    def __init__(self) -> None:
        self._forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qemu")
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for child in self._children:
                stop(child)
        finally:
            self._forker.shutdown()

    def launch(
        self, command: Command, *, descriptors: Iterable[int], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a process.

        :param command: the program and its arguments.
        :param descriptors: open files that it inherits.
        :param log: file for the text that it prints.
        :raises MissingToolError: QEMU is not installed.
        """
        if shutil.which(command.program) is None:
            raise missing_tool(command.program)
        argv = command.argv
        if guard := shutil.which("setpriv"):
            argv = (guard, "--pdeathsig", "KILL", "--", *argv)
        with log.open("wb") as output:
            child = self._forker.submit(
                subprocess.Popen,
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(descriptors),
                # Ctrl-C on the terminal goes to nixgen alone, which then ends QEMU.
                process_group=0,
            ).result()
        self._children.append(child)
        return child
