"""``nixgen inputs check``: fetch each pin again, past Nix's cache, and compare its hash."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from attrs import define, field, frozen

from nixgen.debian.download import find_absent
from nixgen.debian.lock import read_lock
from nixgen.debian.locking import machine_mirrors, open_index
from nixgen.debian.standing import describe_absence
from nixgen.documents.inputs import DEBIAN, Pin, described, missing_marks
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.messages.events import Event, Message
from nixgen.driver.tools.fetching import Fetched, fetch_tree
from nixgen.errors import LockError, MirrorError, MissingToolError, OutsideError, counted
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.generate import plan_generated
from nixgen.project.workspace import Workspace
from nixgen.verbs.inputs.debian_lock import lacking, lock_summary
from nixgen.verbs.inputs.update import tree_reference

__all__ = ["Checked", "check", "check_flake"]

State = Literal["ok", "differs", "unreachable"]

#: The most packages that a message names.
_NAMED = 3
#: The least seconds between two messages about progress.
_SECONDS_BETWEEN = 2.0


@frozen(kw_only=True)
class Checked:
    """The result of checking one input, or the flake that is generated from the inputs.

    :param name: the name of the input, or ``flake``.
    :param state: ``ok``; ``differs`` from its pin; or ``unreachable``.
    :param detail: what it is, or what is wrong.
    :param mend: the command that repairs it, if there is one.
    """

    name: str
    state: State
    detail: str
    mend: str | None = None


def check(workspace: Workspace, pin: Pin, *, observe: Callable[[Event], None]) -> Checked:
    """Check one input.

    :param workspace: the project.
    :param pin: the pin of the input.
    :param observe: gets the events of the download.
    :raises MissingToolError: there is no Nix, or no git for an input of type git.
    """
    if pin.type == DEBIAN:
        return _debian(workspace, pin, observe)
    with tempfile.TemporaryDirectory(prefix="nixgen-inputs-") as cache:
        return _tree(workspace, pin, Path(cache), observe)


def check_flake(workspace: Workspace) -> Checked | None:
    """Compare the generated flake with the pins.

    :param workspace: the project.
    :return: None if the project has no flake and needs none.
    :raises LockError: flake-inputs.json is wrong, or a pin in it is not locked.
    """
    if not workspace.generated.exists():
        return None
    changes = plan_generated(workspace)
    files = ("flake.nix", "flake.lock")
    stale = [name for name in files if name in changes.written or name in changes.removed]
    if stale:
        detail = (
            f"{' and '.join(stale)} in generated/ {'say' if stale[1:] else 'says'} something else"
        )
        return Checked(name="flake", state="differs", detail=detail, mend="nixgen generate")
    if not (workspace.generated / "flake.lock").exists():
        return None
    return Checked(name="flake", state="ok", detail="generated/flake.lock says the same")


def _debian(workspace: Workspace, pin: Pin, observe: Callable[[Event], None]) -> Checked:
    try:
        if gaps := lacking(workspace, pin):
            return _differing(pin, *gaps)
    except LockError as error:
        return _differing(pin, error.message)
    try:
        absent = _absent(workspace, observe)
    except MirrorError as error:
        detail = ": ".join([error.message, *error.details[-1:]])
        return Checked(name=pin.name, state="unreachable", detail=detail)
    if absent:
        return _differing(pin, absent)
    locked = lock_summary(workspace)
    counts = ", ".join(
        f"{counted(int(lock['packages']), 'package')} of {of}" for of, lock in locked.items()
    )
    return Checked(
        name=pin.name, state="ok", detail=f"the lock of {pin.fields['suite']} has {counts}"
    )


def _absent(workspace: Workspace, observe: Callable[[Event], None]) -> str:
    """What the mirrors no longer have of the lock, in words; empty if they have all of it."""
    lock, runner = read_lock(workspace.lock_path), SubprocessRunner()
    mirrors = machine_mirrors(runner)
    reasons: list[str] = []
    for architecture, locked in lock.architectures.items():
        tell = _Asked(len(locked.packages), observe)
        absent = find_absent(mirrors, locked.packages, tell=tell)
        if absent:
            with open_index(lock.suite, architecture, runner) as index:
                reasons += (describe_absence(each, index) for each in absent)
    if not reasons:
        return ""
    more = f", and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return f"the mirror has not all that is locked: {', '.join(reasons[:_NAMED])}{more}"


@define
class _Asked:
    """Says every few seconds how many packages the mirror was asked for.

    :param wanted: packages in all.
    :param observe: gets the messages.
    """

    wanted: int
    observe: Callable[[Event], None]
    _last: float = field(factory=time.monotonic)

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN:
            self._last = now
            self.observe(Message(3, f"asked the mirror for {done} of {self.wanted} packages"))


def _tree(workspace: Workspace, pin: Pin, cache: Path, observe: Callable[[Event], None]) -> Checked:
    if not pin.is_locked:
        return _differing(pin, "it is not pinned yet")
    reference = {k: v for k, v in pin.locked.items() if k not in {"narHash", "lastModified"}}
    try:
        found = fetch_tree(
            tree_reference(workspace, reference),
            name=pin.name,
            origin=pin.origin,
            runner=SubprocessRunner(),
            options=NixOptions.of_host(),
            cache=cache,
            observe=observe,
        )
    except MissingToolError:
        raise  # this computer lacks something; the input may be sound
    except (OutsideError, LockError) as error:
        detail = ": ".join([error.message, *error.details[-1:]])
        return Checked(name=pin.name, state="unreachable", detail=detail)
    if wrong := [*_differences(pin, found)]:
        return _differing(pin, *wrong, to=pin.fields.get("rev"))
    return Checked(name=pin.name, state="ok", detail=described(pin.fields))


def _differing(pin: Pin, *differences: str, to: str | None = None) -> Checked:
    return Checked(
        name=pin.name,
        state="differs",
        detail="; ".join(differences),
        mend=f"nixgen inputs update {pin.name}{f' --to {to}' if to else ''}",
    )


def _differences(pin: Pin, found: Fetched) -> Iterator[str]:
    if missing := missing_marks(pin.name, found.path):
        yield f"it is no tree of {pin.name}: there is no {' and no '.join(missing)}"
    expected = pin.fields.get("narHash", found.nar_hash)
    if expected != found.nar_hash:
        yield f"pinned is {expected}, there is {found.nar_hash}"
    seconds = pin.fields.get("lastModified")
    if seconds is not None and "rev" in pin.fields and found.last_modified is not None:
        dated = datetime.fromtimestamp(seconds, UTC)
        if dated != found.last_modified:
            yield f"pinned is the date {dated:%Y-%m-%d %H:%M:%S}, it is {found.last_modified:%Y-%m-%d %H:%M:%S}"
