"""A machine as a QEMU process, and the channels to it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from attrs import frozen

from nixgen.errors import EngineError, NixgenError, StoreError, TestError
from nixgen.vm.channels.console import Console
from nixgen.vm.channels.qmp import Qmp
from nixgen.vm.channels.shell import Shell, ShellClosed
from nixgen.vm.channels.switch import Link
from nixgen.vm.qemu.accel import Acceleration
from nixgen.vm.qemu.hypervisor import Hypervisor
from nixgen.vm.qemu.qemu import Channels, qemu_command
from nixgen.vm.record.events import MachineStarted, MachineStopped, MachineUp
from nixgen.vm.record.journal import Journal
from nixgen.vm.spec import NodeSpec

__all__ = ["BOOT_SECONDS", "Host", "QemuGuest"]

BOOT_SECONDS = 120.0
"""How long a machine may take to its shell; times the accelerator's patience."""
# Short waits, so that a signal's handler runs soon.
_POLL_SECONDS = 0.5


@frozen(kw_only=True)
class Host:
    """The parts of the host that all machines of a run share.

    :param system: Nix's name of the guests' platform.
    :param acceleration: of every guest.
    :param store_image: the disk with the closure.
    :param scratch_dir: folder for the machines' own disks.
    :param log_dir: folder for the logs of consoles and of QEMU.
    :param journal: records the events.
    :param hypervisor: starts the processes.
    """

    system: str
    acceleration: Acceleration
    store_image: Path
    scratch_dir: Path
    log_dir: Path
    journal: Journal
    hypervisor: Hypervisor


class QemuGuest:
    """A machine under QEMU. It is off until `start`. Started again after its end, it has the same disk.

    :param node: the machine's description.
    :param host: the parts of the host that all machines share.
    :param links: its network cables, in the order of its networks.
    :param secrets: a tar archive of the files of its secrets; empty without secrets.
    """

    def __init__(
        self, node: NodeSpec, host: Host, links: tuple[Link, ...], *, secrets: bytes = b""
    ) -> None:
        self.node = node
        self.name = node.name
        self.links = links
        self.boot_seconds: float | None = None
        self._host = host
        self._secrets = secrets
        self._child: subprocess.Popen[bytes] | None = None
        self._console: Console | None = None
        self._shell: Shell | None = None
        self._qmp: Qmp | None = None
        self._log: IO[str] | None = None
        self._started = 0.0
        self._connected = False

    @property
    def running(self) -> bool:
        """Whether its QEMU runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def connected(self) -> bool:
        """Whether its shell has answered since the boot."""
        return self.running and self._connected

    @property
    def pid(self) -> int | None:
        """The process id of its QEMU; None when it is off."""
        return self._child.pid if self._child is not None and self.running else None

    @property
    def console(self) -> Console:
        """The serial console of this boot, or of the last one.

        :raises TestError: it was never started.
        """
        if self._console is None:
            raise self._off()
        return self._console

    @property
    def shell(self) -> Shell:
        """The root shell.

        :raises TestError: the machine is not connected.
        """
        if self._shell is None or not self._connected:
            raise self._off()
        return self._shell

    @property
    def monitor(self) -> Qmp:
        """QEMU's monitor.

        :raises TestError: the machine is off.
        """
        if self._qmp is None or not self.running:
            raise self._off()
        return self._qmp

    def console_tail(self) -> tuple[str, ...]:
        """The last lines of the console, without secrets; empty when it was never started."""
        mask = self._host.journal.mask
        return () if self._console is None else mask.lines(self._console.tail())

    def start(self, *, allow_reboot: bool = False) -> None:
        """Start QEMU, without waiting for the guest's boot. A running machine stays as it is.

        :param allow_reboot: False makes a reboot end QEMU.
        :raises EngineError: QEMU refused to start; the details are its messages.
        :raises StoreError: the machine's own disk cannot be made.
        """
        if self.running:
            return
        self.wait_exit(0)
        for link in self.links:
            link.drain()
        qemu_log = self._host.log_dir / f"{self.name}.qemu.log"
        with contextlib.ExitStack() as remote_ends, contextlib.ExitStack() as local_ends:
            ends = [socket.socketpair() for _ in range(3)]
            for local, remote in ends:
                local_ends.enter_context(local)
                remote_ends.enter_context(remote)
            channels = Channels(
                shell=ends[0][1].fileno(),
                qmp=ends[1][1].fileno(),
                console=ends[2][1].fileno(),
                networks=tuple(link.remote.fileno() for link in self.links),
                secrets=remote_ends.enter_context(_unnamed_file(self._secrets)),
            )
            command = qemu_command(
                self.node,
                system=self._host.system,
                acceleration=self._host.acceleration,
                store_image=self._host.store_image,
                scratch_disk=self._scratch_disk(),
                channels=channels,
                allow_reboot=allow_reboot,
            )
            self._started = time.monotonic()
            self._child = self._host.hypervisor.launch(
                command, descriptors=channels.all, log=qemu_log
            )
            local_ends.pop_all()
        self._log = (self._host.log_dir / f"{self.name}.console.log").open(
            "a", encoding="utf-8", buffering=1
        )
        self._shell = Shell(ends[0][0], self.name)
        self._qmp = Qmp(ends[1][0])
        self._console = Console(ends[2][0], self._on_console)
        try:
            self._qmp.execute("query-status")
        except EngineError as error:
            raise EngineError(
                f"QEMU did not start {self.name}",
                hint="its messages are below; `nixgen doctor` checks this machine",
                details=qemu_log.read_text(errors="replace").splitlines()[-20:],
            ) from error
        self._host.journal.emit(MachineStarted(machine=self.name, pid=self._child.pid))

    def connect(self) -> None:
        """Wait for the root shell. A machine that is off is started.

        :raises EngineError: the shell did not answer; the details are the end of the console.
        """
        if self.connected:
            return
        self.start()
        assert self._shell is not None  # noqa: S101 - set by start
        seconds = BOOT_SECONDS * self._host.acceleration.patience
        try:
            ready = self._shell.wait_ready(seconds)
        except ShellClosed as closed:
            self.wait_exit(5)
            raise self._never_up("ended while booting") from closed
        if not ready:
            raise self._never_up(f"did not offer its shell within {seconds:.0f} s")
        self._connected = True
        seconds = time.monotonic() - self._started
        if self.boot_seconds is None:
            self.boot_seconds = seconds
        self._host.journal.emit(MachineUp(machine=self.name, seconds=seconds))

    def disconnect(self) -> None:
        """Wait for a new greeting before the next command, because the guest restarts."""
        self._connected = False
        self._started = time.monotonic()

    def wait_exit(self, timeout: float | None) -> bool:
        """Wait for the end of QEMU, then close its channels.

        :param timeout: seconds; None waits without limit.
        :returns: False when it still runs.
        """
        child = self._child
        if child is None:
            return True
        end = None if timeout is None else time.monotonic() + timeout
        while child.poll() is None:
            left = _POLL_SECONDS if end is None else end - time.monotonic()
            if left <= 0:
                return False
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=min(left, _POLL_SECONDS))
        self._child = None
        self._connected = False
        for channel in (self._console, self._shell, self._qmp, self._log):
            if channel is not None:
                channel.close()
        self._shell = self._qmp = self._log = None
        self._host.journal.emit(MachineStopped(machine=self.name))
        return True

    def power_off(self) -> None:
        """End QEMU at once, as if the power failed."""
        if self.running:
            with contextlib.suppress(NixgenError):
                self.monitor.execute("quit")
            if not self.wait_exit(5) and self._child is not None:
                self._child.kill()
        self.wait_exit(None)

    def cut(self) -> None:
        """Kill QEMU, and do nothing else. Another thread that waits for the machine then goes on."""
        child = self._child
        if child is not None and child.poll() is None:
            child.kill()

    def _scratch_disk(self) -> Path | None:
        if not self.node.disk_size:
            return None
        file = self._host.scratch_dir / f"{self.name}.raw"
        if not file.exists():
            try:
                with file.open("wb") as disk:
                    disk.truncate(self.node.disk_size << 20)  # sparse
            except OSError as error:
                raise StoreError(
                    f"cannot create {self.name}'s disk {file}: {error.strerror}",
                    hint="free space there, or give another state directory",
                ) from error
        return file

    def _on_console(self, line: str) -> None:
        log = self._log
        if log is not None:
            with contextlib.suppress(ValueError, OSError):  # closed, or the disk is full
                log.write(self._host.journal.mask(line) + "\n")
        self._host.journal.console(self.name, line)

    def _never_up(self, what: str) -> EngineError:
        blame = "; if KVM is at fault, try --accel tcg"
        return EngineError(
            f"{self.name} {what}",
            hint="the end of its console is below"
            + (blame if self._host.acceleration.name == "kvm" else ""),
            details=self.console_tail(),
        )

    def _off(self) -> TestError:
        return TestError(f"{self.name} is not running", hint="call start() first")


@contextlib.contextmanager
def _unnamed_file(content: bytes) -> Iterator[int | None]:
    """A file in memory that only this process and its children can open. None without content."""
    if not content:
        yield None
        return
    with os.fdopen(os.memfd_create("nixgen"), "wb", buffering=0) as file:
        file.write(content)
        yield file.fileno()
