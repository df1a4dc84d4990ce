"""Tests of machines that run together."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, field, list_of, model
from nixgen.models.lines import PlainText, TargetName
from nixgen.models.machine import Machine

__all__ = ["Test"]

DRIVER_NAMES = frozenset(
    {
        "Machine",
        "create_machine",
        "debug",
        "driver",
        "join_all",
        "log",
        "machines",
        "os",
        "polling_condition",
        "retry",
        "run_tests",
        "serial_stdout_off",
        "serial_stdout_on",
        "start_all",
        "subtest",
        "t",
        "test_script",
        "vlans",
    }
)
"""Names that the NixOS test driver gives to a script (nixos/lib/test-driver of nixpkgs). A machine with
one of these names would hide it.
"""


def variable_name(machine: Machine) -> str:
    """Return the name of a machine in a test script: dashes become underscores."""
    return machine.name.replace("-", "_")


@model
class Test(Model):
    """A test that boots machines together and checks them.

    :param name: Name of the test on the command line.
    :param machines: Machines to boot, at least one. Each must be one of the project's machines.
    :param script: Python code for the NixOS test driver. None (the default) derives a script from
        the services: every unit starts, every port opens, and every health check passes.
    """

    addressed_by_name = True

    __test__ = False  # pytest would collect the name

    name: str = field(TargetName, kw_only=False)
    machines: ListOf[Machine] = list_of(Machine)
    script: str | None = field(PlainText, default=None)

    def faults(self) -> Iterator[Fault]:
        if self.machines == ():
            yield ".machines", "is empty", "a test needs at least one machine"
        for index, machine in enumerate(self.machines):
            if isinstance(machine.name, str):
                yield from _name_faults(f".machines[{index}]", variable_name(machine))


def _name_faults(path: str, variable: str) -> Iterator[Fault]:
    """Yield a fault for a machine that a test script cannot call by its name."""
    hint = "the script of a test calls its machines by their names: give the machine another name"
    if keyword.iskeyword(variable):
        yield path, f"{variable!r} is a word of Python's own, and no variable can have it", hint
    elif variable in DRIVER_NAMES:
        yield path, f"{variable!r} is a name of the test driver, which the machine would hide", hint
