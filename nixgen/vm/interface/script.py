"""Runs a test script: Python text, with the global names of the NixOS test driver."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import unittest
from collections.abc import Callable, Mapping
from types import CodeType
from typing import IO, Any

from nixgen.errors import NixgenError, OutsideError, TestError
from nixgen.vm.interface.commands import retry
from nixgen.vm.interface.machine import Machine
from nixgen.vm.record.journal import Journal
from nixgen.vm.record.mask import Mask
from nixgen.vm.record.report import Failure
from nixgen.vm.spec import python_name

__all__ = ["Driver", "compile_script", "run_script", "script_lines", "symbols"]

_FILENAME = "<test script>"


class Driver:
    """The ``driver`` of a script: all machines together.

    :param machines: in the order of their names.
    :param journal: records the steps.
    """

    def __init__(self, machines: tuple[Machine, ...], journal: Journal) -> None:
        self.machines = list(machines)
        self._journal = journal

    def start_all(self) -> None:
        """Start every machine. They boot at the same time; a command waits for its own machine."""
        with self._journal.step("action", "start all machines"):
            for machine in self.machines:
                machine.start()

    def join_all(self) -> None:
        """Wait until every machine is off."""
        with self._journal.step("action", "wait for all machines to power off"):
            for machine in self.machines:
                machine.wait_for_shutdown()

    def subtest(self, name: str) -> contextlib.AbstractContextManager[object]:
        """A part of the test, which is a case of its own in reports.

        :param name: of the part.
        """
        return self._journal.step("subtest", name)

    def serial_stdout_on(self) -> None:
        """Show the consoles of the machines again, after `serial_stdout_off`."""
        self._journal.show_console = True

    def serial_stdout_off(self) -> None:
        """Hide the consoles of the machines while the test runs. They are still recorded."""
        self._journal.show_console = False


class _Log:
    """The ``log`` of a script."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def log(self, msg: str, attrs: Mapping[str, str] | None = None) -> None:
        self._journal.log(msg, (attrs or {}).get("machine"))

    info = warning = error = log

    def nested(
        self, msg: str, attrs: Mapping[str, str] | None = None
    ) -> contextlib.AbstractContextManager[object]:
        return self._journal.step("action", msg, (attrs or {}).get("machine"))


class _Assertions(unittest.TestCase):
    """The ``t`` of a script: the assertions of unittest."""


def compile_script(script: str) -> CodeType:
    """Compile a test script.

    :param script: its text.
    :raises TestError: it is not Python; the details show the line.
    """
    try:
        return compile(script, _FILENAME, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        lines = getattr(error, "text", None) or ""
        raise TestError(
            f"the test script is not Python: {error}",
            hint="correct the script in the test's model",
            details=[lines.rstrip()] if lines else [],
        ) from error


def symbols(driver: Driver, journal: Journal) -> dict[str, Any]:
    """The global names of a script. The name of a machine replaces a general name.

    :param driver: all machines.
    :param journal: records the steps.
    """
    names: dict[str, Any] = {
        "driver": driver,
        "start_all": driver.start_all,
        "join_all": driver.join_all,
        "subtest": driver.subtest,
        "serial_stdout_on": driver.serial_stdout_on,
        "serial_stdout_off": driver.serial_stdout_off,
        "create_machine": _no_create_machine,
        "machines": driver.machines,
        "log": _Log(journal),
        "retry": retry,
        "t": _Assertions(),
        "Machine": Machine,
        "os": os,
        "print": _printer(journal.mask),
        "__name__": "__main__",
    }
    names |= {python_name(machine.name): machine for machine in driver.machines}
    if len(driver.machines) == 1:
        names["machine"] = driver.machines[0]
    return names


def _printer(mask: Mask) -> Callable[..., None]:
    """The ``print`` of a script: it hides the values of secrets, and prints to standard error,
    because standard output is the report's.
    """

    def run(*values: object, file: IO[str] | None = None, **options: Any) -> None:
        print(*(mask(str(value)) for value in values), file=file or sys.stderr, **options)

    return run


def run_script(script: str, code: CodeType, driver: Driver, journal: Journal) -> Failure | None:
    """Run a script.

    :param script: its text, for reports.
    :param code: the compiled script.
    :param driver: all machines.
    :param journal: records the steps.
    :returns: None when the script passes; otherwise its error as a `Failure`. Ctrl-C and the time
        limit of the run pass through.
    """
    try:
        exec(code, symbols(driver, journal))  # noqa: S102 - running the user's test is the purpose
    except SystemExit as end:
        if end.code in (None, 0):
            return None
        return _failure(script, end, f"the script exited with {end.code!r}")
    except NixgenError as error:
        return _failure(script, error, error.message)
    except AssertionError as error:
        return _failure(script, error, f"assertion failed: {error}".rstrip(": "))
    except Exception as error:  # noqa: BLE001 - the script is the user's code
        return _failure(script, error, "".join(traceback.format_exception_only(error)).strip())
    return None


def script_lines(script: str, error: BaseException) -> tuple[tuple[int, str], ...]:
    """The lines of a script that were running when an error was raised.

    :param script: its text.
    :param error: the error.
    :returns: (line number, text) of each line, outermost first.
    """
    source = script.splitlines()
    return tuple(
        (frame.lineno, source[frame.lineno - 1].strip())
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == _FILENAME and frame.lineno and frame.lineno <= len(source)
    )


def _failure(script: str, error: BaseException, message: str) -> Failure:
    return Failure(
        kind="broken" if isinstance(error, OutsideError) else "failed",
        message=message,
        lines=script_lines(script, error),
        hint=error.hint if isinstance(error, NixgenError) else None,
        details=error.details if isinstance(error, NixgenError) else (),
    )


def _no_create_machine(*_: object, **__: object) -> Callable[..., Machine]:
    raise TestError(
        "create_machine() is not supported: a start command would bypass the test's own machines",
        hint="add the machine to the test's nodes",
    )
