"""The pins of a workspace: resolving, extending and updating the Debian lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from nixgen.debian.lock import Lock, read_lock, write_lock
from nixgen.debian.locking import resolve_lock
from nixgen.driver.runner import SubprocessRunner
from nixgen.errors import LockError, UsageError
from nixgen.inputs import FILE
from nixgen.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ensure_lock", "lock_summary", "update"]


def ensure_lock(workspace: Workspace, tell: Callable[[str], None]) -> Lock:
    """The Debian lock, resolved now when the project needs packages that it does not have.

    :param tell: hears what takes a moment.
    :raises LockError: it is there and wrong.
    :raises ModelError: a package does not exist; every such is named with its line.
    :raises MirrorError: the index cannot be had.
    """
    lock = read_lock(workspace.lock_path) if workspace.lock_path.exists() else None
    if lock is not None and _covers(lock, workspace.wanted_packages()):
        return lock
    tell("resolving Debian packages into debian.lock.json")
    return _resolve(workspace, tell)


def _covers(lock: Lock, wanted: Mapping[str, tuple[str, ...]]) -> bool:
    return all(
        name in architecture.roots and (not debian or architecture.roots[name] == debian)
        for architecture in lock.architectures.values()
        for name, debian in wanted.items()
    )


def _resolve(workspace: Workspace, tell: Callable[[str], None]) -> Lock:
    pin = workspace.inputs.debian.fields
    wanted = workspace.wanted_packages()
    lock = resolve_lock(
        wanted,
        suite=pin["suite"],
        architectures=pin["architectures"],
        runner=SubprocessRunner(),
        overrides={name: debian for name, debian in wanted.items() if debian},
        paths=workspace.package_places(),
        warn=tell,
    )
    write_lock(lock, workspace.lock_path)
    return lock


def update(
    workspace: Workspace, name: str, tell: Callable[[str], None]
) -> dict[str, tuple[str | None, str | None]]:
    """Resolve an input again; package → (version before, version after) of what changed.

    :raises UsageError: the input does not exist, or is pinned by hand.
    """
    pin = workspace.inputs.pins.get(name)
    if pin is None:
        raise UsageError(
            f"{FILE} has no input {name!r}", hint=f"it has {', '.join(workspace.inputs.pins)}"
        )
    if pin.type != "debian":
        raise UsageError(
            f"the input {name!r} is pinned by its revision",
            hint=f"write the new rev and narHash into {FILE}; `nix flake metadata` prints both",
        )
    before: dict[str, str] = {}
    with contextlib.suppress(LockError):  # a broken lock is what an update is for
        before = _versions(read_lock(workspace.lock_path))
    after = _versions(_resolve(workspace, tell))
    return {
        package: (before.get(package), after.get(package))
        for package in sorted({*before, *after})
        if before.get(package) != after.get(package)
    }


def lock_summary(workspace: Workspace) -> dict[str, dict[str, str | int]]:
    """Architecture → what its lock holds; sizes in bytes. Empty without a lock.

    :raises LockError: the lock is wrong.
    """
    if not workspace.lock_path.exists():
        return {}
    lock = read_lock(workspace.lock_path)
    return {
        architecture: {
            "suite": lock.suite,
            "packages": len(locked.packages),
            "size": sum(package.size for package in locked.packages.values()),
        }
        for architecture, locked in lock.architectures.items()
    }


def _versions(lock: Lock) -> dict[str, str]:
    return {
        f"{name}:{architecture}": package.version
        for architecture, locked in lock.architectures.items()
        for name, package in locked.packages.items()
    }
