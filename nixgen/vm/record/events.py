"""The events of a running test, as a closed union. Only `nixgen.cli.progress` draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from attrs import frozen

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
    """``acceleration`` is ``kvm`` or ``tcg`` (no hardware help: expect seconds, not milliseconds)."""

    __test__ = False

    test: str
    machines: tuple[str, ...]
    acceleration: str


@frozen(kw_only=True)
class StoreImageReady:
    """The disk with the nodes' closure; ``size`` in bytes."""

    paths: int
    size: int
    seconds: float
    cached: bool


@frozen(kw_only=True)
class MachineStarted:
    machine: str
    pid: int


@frozen(kw_only=True)
class MachineUp:
    """A command found its root shell ready, ``seconds`` after QEMU started."""

    machine: str
    seconds: float


@frozen(kw_only=True)
class MachineStopped:
    machine: str


@frozen(kw_only=True)
class ConsoleLine:
    """A line of the serial console; ``shown`` follows ``serial_stdout_off()`` and ``_on()``."""

    machine: str
    text: str
    shown: bool


@frozen(kw_only=True)
class StepStarted:
    """``depth`` is 0 for the script's own steps and grows inside subtests and waiting loops."""

    kind: Literal["subtest", "action", "command", "log"]
    machine: str | None
    title: str
    depth: int


@frozen(kw_only=True)
class StepFinished:
    """``output`` is the end of what the step printed, empty for most; ``status`` is a command's."""

    kind: Literal["subtest", "action", "command", "log"]
    machine: str | None
    title: str
    depth: int
    seconds: float
    ok: bool
    status: int | None = None
    output: str = ""


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
