"""``nixgen test run``: run a test on its own machines, or read the result of one that Nix ran."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.errors import BuildError, UsageError
from nixgen.programs.observer import Observer, ignore

if TYPE_CHECKING:
    from nixgen.driver.evaluate import Target
    from nixgen.models import Project
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.build import Built
    from nixgen.vm.record.report import TestResult

__all__ = ["given_secrets", "require_no_values", "results_of_nix", "run_test"]


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
    :raises InputError: the test in the store is older than infra.py.
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
        secrets=given_secrets(workspace.project, spec.name),
        timeout=timeout,
        acceleration=chosen[accel],
    )


def given_secrets(project: Project, name: str) -> dict[str, str]:
    """The values that a test gives to secrets, by the path of the file on its machines.

    :param project: the project.
    :param name: of the test.
    """
    from nixgen.models.rules.secrets import file_of

    return {
        file_of(secret): value
        for test in project.tests
        if test.name == name
        for secret, value in test.secrets.items()
        if isinstance(value, str)
    }


def require_no_values(project: Project, targets: Iterable[str]) -> None:
    """Refuse tests of the nixpkgs base that give values to secrets.

    Nix runs such a test inside a build, and everything that a build can read is in the store.

    :param project: the project.
    :param targets: the tests that are about to run, such as ``tests.smoke``.
    :raises UsageError: one of them has a value.
    """
    for target in targets:
        name = target.removeprefix("tests.")
        if given_secrets(project, name):
            raise UsageError(
                f"test {name} gives a value to a secret, which a build of Nix must not see",
                hint="run it on the Debian base, write Generated() for the value, or run the driver of the test by "
                "hand: docs/secrets.md",
            )


def results_of_nix(built: Built) -> tuple[TestResult, ...]:
    """The results of tests of the nixpkgs base. Nix runs such a test when it builds it.

    :param built: the outcome of building the tests.
    :raises NixgenError: something that a test needs could not be built or fetched.
    """
    from nixgen.vm.record.report import Failure, TestResult

    report = built.report
    reasons = {
        failure.drv: Failure(
            kind="failed",
            message=failure.reason,
            details=failure.log,
            hint=f"the whole log: nix-store --read-log {failure.drv}",
        )
        for failure in report.failures
    }
    error = report.error(built.origins)
    # a test that did not start has no result; neither has one that a full disk or a builder ended
    unstarted = any(r.status == "failed" and r.target.drv not in reasons for r in report.results)
    if error is not None and (unstarted or not isinstance(error, BuildError)):
        raise error
    return tuple(
        TestResult(
            name=each.attr.removeprefix("tests."),
            seconds=each.seconds,
            acceleration="nix",
            entries=(),
            machines=(),
            failure=reasons.get(each.target.drv),
        )
        for each in report.results
    )
