"""Build targets: one ``nix-store --realise`` for all that the store does not have."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from nixgen.driver.build.builders import Builders
from nixgen.driver.build.failures import BuildLog, Failure, UntrustedError, diagnose
from nixgen.driver.build.report import BuildReport, Status, TargetResult
from nixgen.driver.build.roots import Roots
from nixgen.driver.commands import nix
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Target
from nixgen.driver.messages.events import Event
from nixgen.driver.messages.faults import store_fault
from nixgen.driver.store.store import Store
from nixgen.errors import BuildError
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["BuildReport", "Failure", "Observe", "Status", "TargetResult", "realise"]

Observe: TypeAlias = Callable[[Event], None]


def realise(
    targets: Sequence[Target],
    *,
    runner: Runner,
    options: NixOptions,
    store: Store,
    gcroots: Path,
    keep_going: bool = True,
    jobs: int | None = None,
    known: Iterable[str] | None = None,
    builders: Builders | None = None,
    observe: Observe = ignore,
) -> BuildReport:
    """Bring the outputs of targets into the store, and make their GC roots.

    A target that exists and has its roots costs a ``readlink``. If all do, no process starts. A
    target that fails is in the report, and raises nothing.

    :param targets: the targets.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param store: the local store.
    :param gcroots: the folder of the roots, ``.nixgen/gcroots``.
    :param keep_going: finish the other targets when one fails.
    :param jobs: builds at a time on this computer. None: one for each usable processor. 0: only
        remote builders build.
    :param known: all targets that the project has now. Roots of other targets are removed. None
        keeps all roots.
    :param builders: the machines of ``options.builders``, for their names in messages.
    :param observe: gets each event of Nix at once.
    :raises BuilderError: no remote builder can be used, and this computer may not build.
    :raises StoreError: the store or the disk fails for all targets.
    :raises UntrustedError: nothing may be built, and no trusted key signed the paths in caches.
    :raises BuildError: Nix fails without naming a derivation.
    """
    started = time.monotonic()
    roots = Roots(gcroots)
    if known is not None:
        roots.prune(known)
    pending = [target for target in targets if not roots.holds(target)]
    valid = store.valid(path for target in pending for path in target.outputs.values())
    missing = [target for target in pending if not valid.issuperset(target.outputs.values())]
    log = BuildLog(builders=builders or Builders())
    built = frozenset(target.attr for target in missing)
    failures: tuple[Failure, ...] = ()
    if missing:
        done = runner.lines(
            nix.realise(
                options,
                dict.fromkeys(target.drv for target in missing),
                keep_going=keep_going,
                jobs=len(os.sched_getaffinity(0)) if jobs is None else jobs,
            ),
            lambda line: log.feed(line, observe),
        )
        valid |= store.valid(path for target in missing for path in target.outputs.values())
        failed = [target for target in missing if not valid.issuperset(target.outputs.values())]
        if failed:
            failures = diagnose(log, failed, runner=runner, options=options, store=store)
            if not failures:
                errors = nix.strip_noise(log.errors) or nix.strip_noise(done.stderr_tail())
                names = [target.attr for target in failed]
                untrusted = None
                if log.untrusted:
                    keys = [key.partition(":")[0] for key in options.trusted_public_keys]
                    path = log.untrusted[0]
                    untrusted = UntrustedError(names, path, trusted=keys, details=errors)
                raise (
                    store_fault(errors)
                    or log.builder_error()
                    or untrusted
                    or BuildError(
                        f"Nix stopped with status {done.status} before building {', '.join(names)}",
                        hint="if derivations were deleted, remove .nixgen/cache and build again",
                        details=errors,
                    )
                )
    for target in pending:
        if valid.issuperset(target.outputs.values()):
            roots.add(target, runner=runner, options=options)

    def result(target: Target) -> TargetResult:
        status: Status = "cached"
        if target.attr in built:
            status = "built" if valid.issuperset(target.outputs.values()) else "failed"
        return TargetResult(
            target=target,
            status=status,
            seconds=log.seconds.get(target.drv, 0.0),
            failures=tuple(failure.drv for failure in failures if target.attr in failure.targets),
            machine=log.machines.get(target.drv),
        )

    return BuildReport(
        results=tuple(map(result, targets)),
        failures=failures,
        seconds=time.monotonic() - started,
    )
