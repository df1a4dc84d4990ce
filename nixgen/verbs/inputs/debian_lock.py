"""The lock of Debian packages: resolve it, extend it, update it, and find out what it lacks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from nixgen.debian.lock import Lock, read_lock, write_lock
from nixgen.debian.locking import resolve_lock
from nixgen.documents.inputs import FILE
from nixgen.errors import LockError, ModelError, Problem
from nixgen.models import renamed_packages
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.workspace import Workspace
from nixgen.render import requirements

if TYPE_CHECKING:
    from nixgen.documents.inputs import Pin

__all__ = ["Versions", "ensure_lock", "lacking", "lock_summary", "update_lock"]

#: ``package:architecture`` → (version before, version after). None: the package was not locked.
Versions = dict[str, tuple[str | None, str | None]]
#: System of a machine → Debian's name for it, as in nix/bases/debian/architectures.nix.
_ARCHITECTURES = {"aarch64-linux": "arm64", "x86_64-linux": "amd64"}
#: Attribute name → the Debian packages that the project names for it, if any.
Wanted = Mapping[str, tuple[str, ...]]


def ensure_lock(
    workspace: Workspace,
    tell: Callable[[str], None],
    *,
    targets: Iterable[str] = (),
    shell: bool = False,
) -> Lock:
    """The Debian lock. It is resolved first if it is missing, or lacks packages of the project.

    :param workspace: the project.
    :param tell: gets a line about each step that takes time.
    :param targets: the targets to evaluate. Machines and tests among them need packages for their
        systems.
    :param shell: also lock the programs that nixgen runs, for a shell. Once locked, they stay
        locked.
    :raises LockError: the lock exists and is wrong.
    :raises ModelError: packages do not exist, or machines have systems that are not pinned. The
        error has all of them, with their lines.
    :raises MirrorError: the package index cannot be fetched.
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
        name: () for name in requirements() if shell or any(name in roots for roots in known)
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
        attribute_paths=renamed_packages(workspace.project),
        paths=workspace.package_places(),
        warn=tell,
    )
    write_lock(lock, workspace.lock_path)
    return lock


def lacking(workspace: Workspace, pin: Pin) -> list[str]:
    """Describe in words what the lock lacks; empty if it lacks nothing.

    :param workspace: the project.
    :param pin: the pin of the Debian packages.
    :raises LockError: the lock exists and is wrong.
    """
    if not workspace.lock_path.exists():
        return [f"there is no {workspace.lock_path.name} yet"]
    lock = read_lock(workspace.lock_path)
    gaps = []
    if lock.suite != pin.fields["suite"]:
        gaps.append(f"it is of {lock.suite}, not {pin.fields['suite']}")
    missing = [name for name in pin.fields["architectures"] if name not in lock.architectures]
    if missing:
        gaps.append(f"it lacks the architecture {', '.join(missing)}")
    for machine in workspace.project.machines:
        architecture = _ARCHITECTURES[machine.system]
        if architecture not in pin.fields["architectures"]:
            gaps.append(f"add {architecture} to its architectures, for machines.{machine.name}")
    wanted = workspace.wanted_packages()
    packages = [name for name in wanted if not _covers(lock, {name: wanted[name]})]
    if packages:
        gaps.append(f"it lacks {', '.join(packages)}")
    return gaps


def update_lock(workspace: Workspace, pin: Pin, tell: Callable[[str], None]) -> Versions:
    """Resolve every package again, to the newest version on the mirror, and write the lock.

    :param workspace: the project.
    :param pin: the pin of the Debian packages.
    :param tell: gets a line about each step that takes time.
    :return: the versions that changed.
    :raises ModelError: packages do not exist. The error has all of them, with their lines.
    :raises MirrorError: the package index cannot be fetched.
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
    """Architecture → its suite, number of packages and size in bytes. Empty without a lock.

    :param workspace: the project.
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
