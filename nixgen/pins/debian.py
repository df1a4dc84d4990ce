"""The lock of the Debian packages: resolving, extending, updating, and what it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nixgen.debian.lock import Lock, read_lock, write_lock
from nixgen.debian.locking import resolve_lock
from nixgen.driver.runner import SubprocessRunner
from nixgen.errors import LockError
from nixgen.workspace import Workspace

if TYPE_CHECKING:
    from nixgen.inputs import Pin

__all__ = ["Versions", "ensure_lock", "lacking", "lock_summary", "update_lock"]

#: ``package:architecture`` → (version before, version after); None where there is none.
Versions = dict[str, tuple[str | None, str | None]]
#: what a machine can be → Debian's name for it, as nix/bases/debian/architectures.nix has it
_ARCHITECTURES = {"aarch64-linux": "arm64", "x86_64-linux": "amd64"}
#: attribute name → the Debian packages that the project names for it, if any
Wanted = Mapping[str, tuple[str, ...]]


def ensure_lock(workspace: Workspace, tell: Callable[[str], None], *, shell: bool = False) -> Lock:
    """The Debian lock, resolved now when the project needs packages that it does not have.

    :param shell: also what nixgen itself runs, for a shell; once locked, it stays so.
    :param tell: hears what takes a moment.
    :raises LockError: it is there and wrong.
    :raises ModelError: a package does not exist; every such is named with its line.
    :raises MirrorError: the index cannot be had.
    """
    lock = read_lock(workspace.lock_path) if workspace.lock_path.exists() else None
    wanted = _wanted(workspace, lock, shell=shell)
    if lock is not None and _covers(lock, wanted):
        return lock
    tell("resolving Debian packages into debian.lock.json")
    return _resolve(workspace, workspace.inputs.debian, wanted, tell)


def _wanted(workspace: Workspace, lock: Lock | None, *, shell: bool) -> Wanted:
    """Attribute name → the Debian packages that the project names for it, if any."""
    known = [architecture.roots for architecture in lock.architectures.values()] if lock else []
    required = {
        name: ()
        for name in workspace.required_packages()
        if shell or any(name in roots for roots in known)
    }
    return {**required, **workspace.wanted_packages()}


def _covers(lock: Lock, wanted: Wanted) -> bool:
    return all(
        name in architecture.roots and (not debian or architecture.roots[name] == debian)
        for architecture in lock.architectures.values()
        for name, debian in wanted.items()
    )


def _resolve(workspace: Workspace, pin: Pin, wanted: Wanted, tell: Callable[[str], None]) -> Lock:
    lock = resolve_lock(
        wanted,
        suite=pin.fields["suite"],
        architectures=pin.fields["architectures"],
        runner=SubprocessRunner(),
        overrides={name: debian for name, debian in wanted.items() if debian},
        paths=workspace.package_places(),
        warn=tell,
    )
    write_lock(lock, workspace.lock_path)
    return lock


def lacking(workspace: Workspace, pin: Pin) -> list[str]:
    """What the lock does not say that the project and the pin want, in words; nothing when it is as it should be.

    :raises LockError: it is there and wrong.
    """
    if not workspace.lock_path.exists():
        return [f"there is no {workspace.lock_path.name} yet"]
    lock = read_lock(workspace.lock_path)
    said = []
    if lock.suite != pin.fields["suite"]:
        said.append(f"it is of {lock.suite}, not {pin.fields['suite']}")
    missing = [name for name in pin.fields["architectures"] if name not in lock.architectures]
    if missing:
        said.append(f"it lacks the architecture {', '.join(missing)}")
    for machine in workspace.project.machines:
        architecture = _ARCHITECTURES[machine.system]
        if architecture not in pin.fields["architectures"]:
            said.append(
                f"{architecture} is not among its architectures, for machines.{machine.name}"
            )
    wanted = workspace.wanted_packages()
    packages = [name for name in wanted if not _covers(lock, {name: wanted[name]})]
    if packages:
        said.append(f"it lacks {', '.join(packages)}")
    return said


def update_lock(workspace: Workspace, pin: Pin, tell: Callable[[str], None]) -> Versions:
    """Resolve every package again, to the newest that the mirror has, and write the lock; what changed.

    :raises ModelError: a package does not exist; every such is named with its line.
    :raises MirrorError: the index cannot be had.
    """
    old = None
    with contextlib.suppress(LockError):  # a broken lock is what an update is for
        old = read_lock(workspace.lock_path)
    before = _versions(old) if old else {}
    after = _versions(_resolve(workspace, pin, _wanted(workspace, old, shell=False), tell))
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
