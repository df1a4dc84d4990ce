"""The events of a running test. `nixgen.cli.progress` draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from nixgen.vm.record.report import Entry, StepKind

__all__ = [
    "ConsoleLine",
    "Event",
    "MachineStarted",
    "MachineStopped",
    "MachineUp",
    "Observer",
    "StepFinished",
    "StepStarted",
    "StoreImageReady",
    "TestStarted",
]


@frozen(kw_only=True)
class TestStarted:
    """The machines are about to boot.

    :param test: name of the test.
    :param machines: their names.
    :param acceleration: ``kvm``; or ``tcg``, which is emulation and takes seconds for milliseconds.
    """

    __test__ = False

    test: str
    machines: tuple[str, ...]
    acceleration: str


@frozen(kw_only=True)
class StoreImageReady:
    """The disk with the closure of all machines exists.

    :param paths: number of store paths on it.
    :param size: bytes.
    :param seconds: the time it took.
    :param cached: whether an earlier run made it.
    """

    paths: int
    size: int
    seconds: float
    cached: bool


@frozen(kw_only=True)
class MachineStarted:
    """QEMU runs.

    :param machine: name of the machine.
    :param pid: process id of QEMU.
    """

    machine: str
    pid: int


@frozen(kw_only=True)
class MachineUp:
    """The root shell of a machine answers.

    :param machine: name of the machine.
    :param seconds: from the start of QEMU.
    """

    machine: str
    seconds: float


@frozen(kw_only=True)
class MachineStopped:
    """QEMU has ended.

    :param machine: name of the machine.
    """

    machine: str


@frozen(kw_only=True)
class ConsoleLine:
    """A line of a serial console.

    :param machine: name of the machine.
    :param text: the line, without colours.
    :param shown: False between ``serial_stdout_off()`` and ``serial_stdout_on()`` of the script.
    """

    machine: str
    text: str
    shown: bool


@frozen(kw_only=True)
class StepStarted:
    """A step begins.

    :param kind: of the step.
    :param machine: name of the machine; None for a step of no machine.
    :param title: such as the command.
    :param depth: 0 for a step of the script itself, more inside subtests and waiting loops.
    """

    kind: StepKind
    machine: str | None
    title: str
    depth: int


@frozen(kw_only=True)
class StepFinished:
    """A step has ended.

    :param entry: the step.
    :param depth: as in `StepStarted`.
    """

    entry: Entry
    depth: int


Event: TypeAlias = (
    TestStarted
    | StoreImageReady
    | MachineStarted
    | MachineUp
    | MachineStopped
    | ConsoleLine
    | StepStarted
    | StepFinished
)
Observer: TypeAlias = Callable[[Event], None]
