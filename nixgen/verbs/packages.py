"""Fetch the Debian packages that a build needs, before Nix begins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nixgen.driver.build.plan import plan_builds
from nixgen.driver.evaluate import Target
from nixgen.driver.messages.events import Message, drv_name
from nixgen.driver.messages.faults import store_fault
from nixgen.driver.store.store import Store
from nixgen.errors import StoreError
from nixgen.verbs.evaluate import Evaluation

if TYPE_CHECKING:
    from nixgen.debian.lock import Locked
    from nixgen.debian.mirrors import Mirrors

__all__ = ["fetch_packages"]

# A derivation is a term: Derive([…],…,[…,("outputHash","<hash>"),…])
_HASH = re.compile(r'\("outputHash","([0-9a-f]{64})"\)')


def fetch_packages(evaluation: Evaluation, targets: Iterable[Target], mirrors: Mirrors) -> None:
    """Bring the packages that Nix would download to build targets into the store.

    A package that the mirrors no longer have raises nothing: Nix fails to fetch it as well, builds
    the targets that do not need it, and names the others.

    :param evaluation: an evaluation on the Debian base.
    :param targets: its targets.
    :param mirrors: the mirrors to fetch from.
    :raises MirrorError: the mirrors do not answer, or are too slow to wait for.
    :raises StoreError: the store does not accept a package.
    """
    store = Store.of_host()
    targets = tuple(targets)
    valid = store.valid(path for target in targets for path in target.outputs.values())
    missing = dict.fromkeys(
        target.drv for target in targets if not valid.issuperset(target.outputs.values())
    )
    if not missing or evaluation.lock is None:
        return
    by_hash = {
        package.sha256: package
        for architecture in evaluation.lock.architectures.values()
        for package in architecture.packages.values()
    }
    wanted: list[tuple[str, Locked]] = []
    for drv in plan_builds(missing, runner=evaluation.runner, options=evaluation.options):
        if drv.endswith(".deb.drv"):
            found = _HASH.search(store.real_path(drv).read_text())
            if found and (package := by_hash.get(found[1])):
                wanted.append((drv_name(drv), package))
    if not wanted:
        return
    from nixgen.debian.prefetch import Received, prefetch

    def tell(progress: Received) -> None:
        evaluation.observe(
            Message(
                3,
                f"downloading Debian packages: {progress.done} of {progress.wanted},"
                f" {progress.received / 1e6:.0f} of {progress.size / 1e6:.0f} MB",
            )
        )

    try:
        prefetch(wanted, mirrors, evaluation.runner, observe=tell)
    except StoreError as error:
        raise store_fault(error.details) or error from error
