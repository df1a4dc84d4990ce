"""The run of a test: machines, script, time limit and result."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from attrs import evolve

from nixgen.programs.runner import Runner
from nixgen.vm.interface.script import compile_script, run_script, script_lines
from nixgen.vm.qemu.accel import Acceleration
from nixgen.vm.qemu.guest import QemuGuest
from nixgen.vm.record.events import Observer
from nixgen.vm.record.mask import Mask
from nixgen.vm.record.report import Failure, TestResult
from nixgen.vm.run.session import session
from nixgen.vm.spec import TestSpec

__all__ = ["DEFAULT_TIMEOUT", "run_test"]

#: Seconds for the script of a test that sets no time limit.
DEFAULT_TIMEOUT = 1800.0
# When time is up, the script is interrupted again and again: its `finally` may hang, too, or start a
# machine.
_AGAIN_SECONDS = 2.0


def run_test(
    spec: TestSpec,
    *,
    state_dir: Path,
    observe: Observer,
    secrets: Mapping[str, str] = MappingProxyType({}),
    keep: bool = False,
    timeout: float = DEFAULT_TIMEOUT,
    runner: Runner | None = None,
    acceleration: Acceleration | None = None,
) -> TestResult:
    """Boot the machines of a test, and run its script. Every started process is ended again.

    :param spec: the test.
    :param state_dir: as for `session`.
    :param observe: as for `session`.
    :param secrets: as for `session`.
    :param keep: as for `session`.
    :param timeout: seconds for the script.
    :param runner: as for `session`.
    :param acceleration: as for `session`.
    :returns: passed, failed or broken; `TestResult.check` raises an error for the last two.
    :raises TestError: the script is not Python; nothing was started.
    :raises NixgenError: as `session`.
    """
    code = compile_script(spec.script)
    with session(
        spec,
        state_dir=state_dir,
        observe=observe,
        secrets=secrets,
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
                # Not in the main thread: the step that failed waited for a machine that was killed.
                failure = _timed_out(timeout, failure.lines)
        return TestResult(
            name=spec.name,
            seconds=journal.elapsed,
            acceleration=machines.acceleration.name,
            entries=journal.entries(),
            machines=machines.reports(),
            failure=failure and _masked(failure, journal.mask),
        )


def _masked(failure: Failure, mask: Mask) -> Failure:
    """A failure whose text has no value of a secret."""
    return evolve(
        failure,
        message=mask(failure.message),
        lines=tuple((number, mask(text)) for number, text in failure.lines),
        hint=failure.hint and mask(failure.hint),
        details=mask.lines(failure.details),
    )


def _timed_out(seconds: float, lines: tuple[tuple[int, str], ...]) -> Failure:
    return Failure(
        kind="failed",
        message=f"the script did not finish within {seconds:g} s",
        lines=lines,
        hint="see what it waited for below, or give the test a longer timeout",
    )


class _TimeUpError(BaseException):
    """The time is up. No `Exception`, so that no ``except`` of the script catches it."""


@contextlib.contextmanager
def _time_limit(seconds: float, guests: tuple[QemuGuest, ...]) -> Iterator[None]:
    """End the block after ``seconds``.

    In the main thread a signal interrupts it, even in an endless loop. In another thread the machines
    are killed, which ends every step that waits for one.
    """
    if threading.current_thread() is not threading.main_thread():
        ended = threading.Event()
        threading.Thread(target=_cut, args=(guests, seconds, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
        return

    def expire(*_: object) -> None:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _cut(guests: tuple[QemuGuest, ...], seconds: float, ended: threading.Event) -> None:
    while not ended.wait(seconds):
        for guest in guests:
            guest.cut()
        seconds = _AGAIN_SECONDS
