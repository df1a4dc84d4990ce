"""``nixgen test run``: one built test, on machines of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.errors import UsageError
from nixgen.programs.observer import Observer, ignore

if TYPE_CHECKING:
    from nixgen.driver.evaluate import Target
    from nixgen.project.workspace import Workspace
    from nixgen.vm.record.report import TestResult

__all__ = ["run_test"]


def run_test(
    workspace: Workspace,
    target: Target,
    *,
    timeout: float,
    accel: str = "auto",
    observe: Observer = ignore,
) -> TestResult:
    """Boot the machines of a built test and run its script.

    :param workspace: the project; it keeps the state of the machines.
    :param target: the test, of the Debian base.
    :param timeout: seconds that the whole test may take.
    :param accel: ``kvm`` or ``tcg``; ``auto`` finds out what works here.
    :param observe: gets the events of `nixgen.vm.record.events`.
    :raises UsageError: there is no such accelerator.
    :raises OutsideError: QEMU is missing, or no machine came up.
    """
    from nixgen.vm.qemu.accel import KVM, TCG
    from nixgen.vm.run.run import run_test as run
    from nixgen.vm.spec import TestSpec

    spec = TestSpec.from_file(Path(target.out))
    chosen = {"auto": None, "kvm": KVM, "tcg": TCG}
    if accel not in chosen:
        raise UsageError(f"there is no accelerator {accel!r}", hint="use auto, kvm or tcg")
    return run(
        spec,
        state_dir=workspace.state / "vm",
        observe=observe,
        timeout=timeout,
        acceleration=chosen[accel],
    )
