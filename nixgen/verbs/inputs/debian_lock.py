"""The lock of the Debian packages: resolving, extending, updating, and what it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from nixgen.debian.lock import Lock, read_lock, write_lock
from nixgen.debian.locking import resolve_lock
from nixgen.documents.inputs import FILE
from nixgen.errors import LockError, ModelError, Problem
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.workspace import Workspace

if TYPE_CHECKING:
    from nixgen.documents.inputs import Pin

__all__ = ["Versions", "ensure_lock", "lacking", "lock_summary", "update_lock"]

#: ``package:architecture`` → (version before, version after); None where there is none.
Versions = dict[str, tuple[str | None, str | None]]
#: what a machine can be → Debian's name for it, as nix/bases/debian/architectures.nix has it
_ARCHITECTURES = {"aarch64-linux": "arm64", "x86_64-linux": "amd64"}
#: attribute name → the Debian packages that the project names for it, if any
Wanted = Mapping[str, tuple[str, ...]]


def ensure_lock(
    workspace: Workspace,
    tell: Callable[[str], None],
    *,
    targets: Iterable[str] = (),
    shell: bool = False,
) -> Lock:
    """The Debian lock, resolved now when the project needs packages that it does not have.

    :param targets: what is to be evaluated; machines and tests among them need packages for their systems.
    :param shell: also what nixgen itself runs, for a shell; once locked, it stays so.
    :param tell: hears what takes a moment.
    :raises LockError: it is there and wrong.
    :raises ModelError: a package does not exist, or a machine has a system that is not pinned; every such is named with its line.
    :raises MirrorError: the index cannot be had.
    """
    lock = read_lock(workspace.lock_path) if workspace.lock_path.exists() else None
    locked = frozenset(lock.architectures if lock else ())
    lacking = [each for each in _needed(workspace, targets) if each.architecture not in locked]
    if lacking:
        pinned = workspace.inputs.debian.fields["architectures"]
        problems = [each.problem for each in lacking if each.architecture not in pinned]
        if problems:
            raise ModelError(problems)
    wanted = _wanted(workspace, lock, shell=shell)
    if lock is not None and not lacking and _covers(lock, wanted):
        return lock
    tell("resolving Debian packages into debian.lock.json")
    return _resolve(workspace, workspace.inputs.debian, wanted, tell)


@frozen
class _Need:
    """A machine that needs packages for its system."""

    machine: str
    system: str
    where: str | None

    @property
    def architecture(self) -> str:
        return _ARCHITECTURES[self.system]

    @property
    def problem(self) -> Problem:
        return Problem(
            f"machines.{self.machine}.system",
            f"is {self.system}, and {FILE} pins no Debian packages for it",
            where=self.where,
            hint=f'add "{self.architecture}" to the "architectures" of debian in {FILE}, and run this again',
        )


def _needed(workspace: Workspace, targets: Iterable[str]) -> Iterator[_Need]:
    chosen = frozenset(targets)
    tested = {
        machine.name
        for test in workspace.project.tests
        if f"tests.{test.name}" in chosen
        for machine in test.machines
    }
    origins = workspace.target_origins()
    for machine in workspace.project.machines:
        attr = f"machines.{machine.name}"
        if attr in chosen or machine.name in tested:
            yield _Need(machine.name, machine.system, origins[attr])


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
            said.append(f"add {architecture} to its architectures, for machines.{machine.name}")
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
