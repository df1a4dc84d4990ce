"""The machines of a test, connected and ready to boot. Nothing of them outlives the session."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import frozen

from nixgen.errors import StoreError
from nixgen.programs.child import missing_tool
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.vm.channels.switch import Link, Switch
from nixgen.vm.interface.machine import Machine
from nixgen.vm.interface.script import Driver, symbols
from nixgen.vm.qemu.accel import Acceleration, choose_acceleration
from nixgen.vm.qemu.guest import Host, QemuGuest
from nixgen.vm.qemu.hypervisor import Hypervisor
from nixgen.vm.qemu.qemu import PROGRAMS
from nixgen.vm.qemu.storeimage import store_image
from nixgen.vm.record.events import Observer, TestStarted
from nixgen.vm.record.journal import Journal
from nixgen.vm.record.mask import Mask
from nixgen.vm.record.report import MachineReport
from nixgen.vm.run.secrets import archive, values_of
from nixgen.vm.spec import TestSpec

__all__ = ["Session", "session"]


@frozen(kw_only=True)
class Session:
    """The machines of a test, which are off at first; `session` makes one.

    :param driver: all machines together, for a script.
    :param journal: records the steps of the script.
    :param guests: the machines as processes, in the order of the nodes.
    :param acceleration: of every guest.
    """

    driver: Driver
    journal: Journal
    guests: tuple[QemuGuest, ...]
    acceleration: Acceleration

    def symbols(self) -> dict[str, Any]:
        """The global names of a script, which are also the names of an interactive session."""
        return symbols(self.driver, self.journal)

    def reports(self) -> tuple[MachineReport, ...]:
        """The boot times and last console lines of all machines."""
        return tuple(
            MachineReport(
                name=guest.name, boot_seconds=guest.boot_seconds, console_tail=guest.console_tail()
            )
            for guest in self.guests
        )


@contextlib.contextmanager
def session(
    spec: TestSpec,
    *,
    state_dir: Path,
    observe: Observer,
    secrets: Mapping[str, str] = MappingProxyType({}),
    keep: bool = False,
    runner: Runner | None = None,
    acceleration: Acceleration | None = None,
) -> Iterator[Session]:
    """The machines of a test, for one ``with`` block.

    :param spec: the test.
    :param state_dir: for files that outlive a run: ``store/`` (disks of closures) and ``out/TEST/``
        (console logs, screenshots, copied files; emptied when the test starts again).
    :param observe: receives every step and every console line.
    :param secrets: the values that the user gives to secrets, by the path of the file in the
        machines.
    :param keep: leave the machines' own disks in ``out/TEST/``.
    :param runner: runs the probe of QEMU, and squashfs-tools.
    :param acceleration: of all machines; None finds out which one works.
    :raises StoreError: a store path is missing, or the disks cannot be written.
    :raises MissingToolError: QEMU or squashfs-tools are not installed.
    :raises InputError: the value of a secret is missing.
    """
    values = values_of(spec, secrets)
    runner = runner or SubprocessRunner()
    program = PROGRAMS.get(spec.system)
    if program is not None and shutil.which(program) is None:
        raise missing_tool(program)
    chosen = acceleration or choose_acceleration(runner, system=spec.system, cache_dir=state_dir)
    image = store_image(spec.closure, cache_dir=state_dir / "store", runner=runner, observe=observe)
    names = tuple(node.name for node in spec.nodes)
    observe(TestStarted(test=spec.name, machines=names, acceleration=chosen.name))
    out_dir = _fresh(state_dir / "out" / spec.name)
    journal = Journal(observe, Mask(values.values()))
    with contextlib.ExitStack() as stack:
        # The stack unwinds in reverse: machines end before their cables and disks are removed.
        scratch = out_dir if keep else stack.enter_context(_scratch(state_dir))
        links = _cabling(spec, stack)
        host = Host(
            system=spec.system,
            acceleration=chosen,
            store_image=image,
            scratch_dir=scratch,
            log_dir=out_dir,
            journal=journal,
            hypervisor=stack.enter_context(Hypervisor()),
        )
        guests = tuple(
            QemuGuest(node, host, links[node.name], secrets=archive(node, values))
            for node in spec.nodes
        )
        stack.callback(_power_off, guests)
        machines = tuple(
            Machine(guest, journal, links=guest.links, out_dir=out_dir) for guest in guests
        )
        yield Session(
            driver=Driver(machines, journal), journal=journal, guests=guests, acceleration=chosen
        )


def _cabling(spec: TestSpec, stack: contextlib.ExitStack) -> dict[str, tuple[Link, ...]]:
    """Start a switch for each vlan, and connect the machines, in the order of their vlans."""
    vlans = {vlan for node in spec.nodes for vlan in node.vlans}
    switches = {vlan: Switch(vlan) for vlan in sorted(vlans)}
    links = {
        node.name: tuple(switches[vlan].connect(node.name) for vlan in node.vlans)
        for node in spec.nodes
    }
    for switch in switches.values():
        stack.enter_context(switch)
    return links


def _power_off(guests: tuple[QemuGuest, ...]) -> None:
    for guest in guests:
        guest.power_off()


@contextlib.contextmanager
def _scratch(state_dir: Path) -> Iterator[Path]:
    """A folder for the machines' disks. The folders of killed runs are removed."""
    for left in state_dir.glob("run-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdecimal() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        prefix=f"run-{os.getpid()}-", dir=state_dir, ignore_cleanup_errors=True
    ) as path:
        yield Path(path)


def _fresh(directory: Path) -> Path:
    try:
        if directory.exists():
            # Renamed first, because a run may be killed here, and half of the results would mislead.
            old = directory.with_name(f".{directory.name}.{os.getpid()}.{time.monotonic_ns()}")
            directory.rename(old)
            shutil.rmtree(old, ignore_errors=True)
        directory.mkdir(parents=True)
    except OSError as error:
        raise StoreError(
            f"cannot write {directory}: {error.strerror}",
            hint="give another state directory, or free space there",
        ) from error
    return directory
