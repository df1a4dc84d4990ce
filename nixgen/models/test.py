"""Tests of machines that run together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import attrs

from nixgen.models.checks import TARGET_NAME, Many, as_tuple, checked, models, optional, string
from nixgen.models.core import Fault, Model
from nixgen.models.machine import Machine, as_machines

__all__ = ["Test", "as_tests"]


@attrs.frozen(eq=False)
class Test(Model):
    """A test that boots machines together and checks them.

    :param name: Name of the test on the command line.
    :param machines: Machines to boot, at least one. Each must be one of the project's machines.
    :param script: Python code for the NixOS test driver. None (the default) derives a script from
        the services: every unit starts, every port opens, and every health check passes.
    """

    addressed_by_name: ClassVar[bool] = True

    __test__ = False  # pytest would collect the name

    name: str = attrs.field(metadata=checked(TARGET_NAME))
    machines: tuple[Machine, ...] = attrs.field(
        kw_only=True,
        converter=as_machines,
        metadata=models(Machine),
    )
    script: str | None = attrs.field(default=None, kw_only=True, metadata=checked(optional(string)))

    def faults(self) -> Iterator[Fault]:
        if self.machines == ():
            yield ".machines", "is empty", "a test needs at least one machine"


def as_tests(value: Many[Test]) -> tuple[Test, ...]:
    return as_tuple(value)
