"""Starting QEMU so that it cannot outlive its test, whatever ends the test.

QEMU is started through setpriv(1), which asks the kernel for SIGKILL on the death of the parent. Linux
means the *thread* that forked, so every QEMU of a run is forked by one thread that lives as long as the run.
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
    """Owns the QEMU processes of one run; leaving its context ends those that still live."""

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
        """Start ``command`` with ``descriptors`` inherited; what it prints goes to ``log``.

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
                # Ctrl-C on the terminal is for us; we end QEMU in order.
                process_group=0,
            ).result()
        self._children.append(child)
        return child
