"""Running one test from its ``vm.json``: boot, script, report, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.errors import StoreError
from nixgen.programs.child import missing_tool
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.vm.channels.switch import Link, Switch
from nixgen.vm.interface.machine import Machine
from nixgen.vm.interface.script import Driver, compile_script, run_script, script_lines, symbols
from nixgen.vm.qemu.accel import Acceleration, choose_acceleration
from nixgen.vm.qemu.guest import Host, QemuGuest
from nixgen.vm.qemu.hypervisor import Hypervisor
from nixgen.vm.qemu.qemu import PROGRAMS
from nixgen.vm.qemu.storeimage import store_image
from nixgen.vm.record.events import Observer, TestStarted
from nixgen.vm.record.journal import Journal
from nixgen.vm.record.report import Failure, MachineReport, TestResult
from nixgen.vm.spec import TestSpec

__all__ = ["DEFAULT_TIMEOUT", "Session", "run_test", "session"]

DEFAULT_TIMEOUT = 1800.0


@frozen(kw_only=True)
class Session:
    """A test's machines, off until something starts them. Made by `session`."""

    driver: Driver
    journal: Journal
    guests: tuple[QemuGuest, ...]
    acceleration: Acceleration

    def symbols(self) -> dict[str, Any]:
        """The names a script has; for an interactive session, the local names of `code.interact`."""
        return symbols(self.driver, self.journal)

    def reports(self) -> tuple[MachineReport, ...]:
        return tuple(
            MachineReport(
                name=guest.name, boot_seconds=guest.boot_seconds, console_tail=guest.console_tail()
            )
            for guest in self.guests
        )


def run_test(
    spec: TestSpec,
    *,
    state_dir: Path,
    observe: Observer,
    keep: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    runner: Runner | None = None,
    acceleration: Acceleration | None = None,
) -> TestResult:
    """Boot the test's machines, run its script, and report; everything started is ended again.

    :param timeout: seconds for the script. The other parameters are those of `session`.
    :returns: passed, failed or broken; `TestResult.check` turns the last two into errors.
    :raises TestError: the script is not Python; nothing was started.
    :raises NixgenError: as `session`.
    """
    code = compile_script(spec.script)
    with session(
        spec,
        state_dir=state_dir,
        observe=observe,
        keep=keep,
        runner=runner,
        acceleration=acceleration,
    ) as machines:
        journal = machines.journal
        try:
            with _time_limit(timeout, machines.guests):
                failure = run_script(spec.script, code, machines.driver, journal)
        except _TimeUpError as error:
            failure = _timed_out(timeout, script_lines(spec.script, error))
        else:
            if failure is not None and journal.elapsed >= timeout:
                # Off the main thread: what failed is whatever waited for a machine that was cut off.
                failure = _timed_out(timeout, failure.lines)
        return TestResult(
            name=spec.name,
            seconds=journal.elapsed,
            acceleration=machines.acceleration.name,
            entries=journal.entries(),
            machines=machines.reports(),
            failure=failure,
        )


@contextlib.contextmanager
def session(
    spec: TestSpec,
    *,
    state_dir: Path,
    observe: Observer,
    keep: bool = False,
    runner: Runner | None = None,
    acceleration: Acceleration | None = None,
) -> Iterator[Session]:
    """The machines of ``spec``, for the block and no longer.

    :param state_dir: for what outlives a run: ``store/`` (disks of closures), ``out/TEST/`` (console logs,
        screenshots, copied files; emptied when the test starts again).
    :param keep: leave the machines' own disks in ``out/TEST/``.
    :param acceleration: None finds out what works.
    :raises StoreError: a store path is missing, or the disks cannot be written.
    :raises MissingToolError: QEMU or squashfs-tools are not installed.
    """
    runner = runner or SubprocessRunner()
    program = PROGRAMS.get(spec.system)
    if program is not None and shutil.which(program) is None:
        raise missing_tool(program)
    chosen = acceleration or choose_acceleration(runner, system=spec.system, cache_dir=state_dir)
    image = store_image(spec.closure, cache_dir=state_dir / "store", runner=runner, observe=observe)
    names = tuple(node.name for node in spec.nodes)
    observe(TestStarted(test=spec.name, machines=names, acceleration=chosen.name))
    out_dir = _fresh(state_dir / "out" / spec.name)
    journal = Journal(observe)
    with contextlib.ExitStack() as stack:
        # Left in reverse: machines end before their cables and disks go.
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
        guests = tuple(QemuGuest(node, host, links[node.name]) for node in spec.nodes)
        stack.callback(_power_off, guests)
        machines = tuple(
            Machine(guest, journal, links=guest.links, out_dir=out_dir) for guest in guests
        )
        yield Session(
            driver=Driver(machines, journal), journal=journal, guests=guests, acceleration=chosen
        )


def _cabling(spec: TestSpec, stack: contextlib.ExitStack) -> dict[str, tuple[Link, ...]]:
    """A switch per vlan, running, and each node's cables in the order of its vlans."""
    vlans = {vlan for node in spec.nodes for vlan in node.vlans}
    switches = {vlan: Switch(vlan) for vlan in sorted(vlans)}
    links = {
        node.name: tuple(switches[vlan].connect(node.name) for vlan in node.vlans)
        for node in spec.nodes
    }
    for switch in switches.values():
        stack.enter_context(switch)
    return links


def _timed_out(seconds: float, lines: tuple[tuple[int, str], ...]) -> Failure:
    return Failure(
        kind="failed",
        message=f"the script did not finish within {seconds:g} s",
        lines=lines,
        hint="see what it waited for below, or give the test a longer timeout",
    )


class _TimeUpError(BaseException):
    """Not an Exception, so that a script's own ``except`` does not swallow it."""


@contextlib.contextmanager
def _time_limit(seconds: float, guests: tuple[QemuGuest, ...]) -> Iterator[None]:
    """End the block after ``seconds``.

    In the main thread a signal interrupts anything, an endless loop of the script too. Elsewhere the
    machines are cut off, which ends any step that waits for one.
    """
    if threading.current_thread() is not threading.main_thread():
        timer = threading.Timer(seconds, _cut, [guests])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        return

    def expire(*_: object) -> None:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, expire)
    # Again every few seconds, should the script's `finally` be the thing that hangs.
    signal.setitimer(signal.ITIMER_REAL, seconds, 5.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _cut(guests: tuple[QemuGuest, ...]) -> None:
    for guest in guests:
        guest.cut()


def _power_off(guests: tuple[QemuGuest, ...]) -> None:
    for guest in guests:
        guest.power_off()


@contextlib.contextmanager
def _scratch(state_dir: Path) -> Iterator[Path]:
    """A directory for the machines' disks; those of runs that were killed are removed."""
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
            # Renamed first: a run that is killed here must not leave half of the old results.
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
