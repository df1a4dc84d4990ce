"""``nixgen inputs update``: write the newest state of each pin to flake-inputs.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from nixgen.documents.inputs import DEBIAN, FILE, Inputs, Pin, missing_marks
from nixgen.documents.jsontext import JsonText
from nixgen.documents.schema import faults
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.messages.events import Event, Message
from nixgen.driver.tools.fetching import Fetched, fetch_tree
from nixgen.errors import LockError, MissingToolError, NixgenError, StoreError, UsageError, closest
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.workspace import Workspace
from nixgen.verbs.inputs.debian_lock import Versions, update_lock

__all__ = ["Update", "read_pins", "require_updatable", "tree_reference", "update"]

_REV = re.compile(r"[0-9a-f]{40}")
_SHORT_REV = re.compile(r"[0-9a-f]{7,39}")
#: Type → the field that `--to` changes. For version control, it changes the commit or the branch.
_MOVED = {"path": "path", "tarball": "url"}
#: The fields that an update finds out again.
_EXACT = ("rev", "narHash", "lastModified")


@frozen(kw_only=True)
class Update:
    """The outcome of updating one input.

    :param name: the name of the input.
    :param before: the fields of its entry before.
    :param after: the fields of its entry afterwards. Those of Debian packages stay the same.
    :param packages: the versions that changed in the lock of Debian packages.
    :param error: the reason that it was not updated; None if it was.
    """

    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    packages: Versions = field(factory=dict)
    error: NixgenError | None = None

    @property
    def changed(self) -> bool:
        """True if the entry or the lock changed."""
        return self.before != self.after or bool(self.packages)

    def to_json(self) -> dict[str, Any]:
        """For ``--json``: a member of nixgen/inputs-update/1."""
        return {
            "before": dict(self.before),
            "after": dict(self.after),
            "packages": self.packages,
            "error": self.error.message if self.error else None,
        }


def read_pins(workspace: Workspace) -> Inputs:
    """The pins as they are on disk now. Pins that were never updated are not refused.

    :param workspace: the project.
    :raises LockError: flake-inputs.json is wrong.
    """
    return Inputs.read(workspace.pins_path, unlocked=True)


def require_updatable(inputs: Inputs, names: Iterable[str], to: str | None) -> tuple[Pin, ...]:
    """The pins with the given names, or all pins.

    :param inputs: the pins of the project.
    :param names: the names as typed; empty for all.
    :param to: the value of ``--to``, which moves one named pin; None without it.
    :raises UsageError: there is no such input, or it cannot be moved there.
    """
    names = tuple(dict.fromkeys(names))
    unknown = [name for name in names if name not in inputs.pins]
    if unknown:
        raise UsageError(
            f"{FILE} has no input {', '.join(map(repr, unknown))}",
            hint=closest(unknown[0], inputs.pins) or f"it has {', '.join(inputs.pins)}",
        )
    if to is None:
        return tuple(inputs.pins[name] for name in names or inputs.pins)
    if len(names) != 1:
        raise UsageError(
            "--to moves one input", hint="name it: nixgen inputs update nixpkgs --to REV"
        )
    pin = inputs.pins[names[0]]
    if pin.type == DEBIAN:
        raise UsageError(
            "Debian packages have no revision to go to",
            hint=f"choose another suite in {FILE}, and run: nixgen inputs update {pin.name}",
        )
    if pin.type not in _MOVED and _SHORT_REV.fullmatch(to):
        raise UsageError(f"{to!r} is no whole commit", hint="give all of its 40 digits")
    return (pin,)


def update(
    workspace: Workspace,
    pin: Pin,
    *,
    to: str | None = None,
    explicit: bool = False,
    observe: Callable[[Event], None],
) -> Update:
    """Pin the newest state of one input, and write it to flake-inputs.json.

    An origin that cannot be reached is in the outcome; it is not raised.

    :param workspace: the project.
    :param pin: a pin of `require_updatable`.
    :param to: a commit; or the branch, tag, URL of a tarball or folder to follow from now on.
    :param explicit: whether the user named the pin. Only then does a folder without a hash get one.
    :param observe: gets the events of the download.
    :raises UsageError: a pin cannot have the value ``to``.
    :raises MissingToolError: there is no Nix, or no git for an input of type git.
    :raises StoreError: a file cannot be written.
    """
    after: Mapping[str, Any] = pin.fields
    packages: Versions = {}
    error = None
    try:
        if pin.type == DEBIAN:
            packages = update_lock(workspace, pin, lambda text: observe(Message(3, text)))
        else:
            after = _moved(workspace, pin, to, observe, explicit=explicit)
    except (MissingToolError, StoreError, UsageError):
        raise  # the next one would fail the same way
    except NixgenError as found:
        error = found
    return Update(name=pin.name, before=pin.fields, after=after, packages=packages, error=error)


def tree_reference(workspace: Workspace, reference: Mapping[str, Any]) -> dict[str, Any]:
    """A pin's reference in a form that Nix can fetch from any folder.

    :param workspace: the project, which relative paths begin at.
    :param reference: the reference, as in flake-inputs.json.
    """
    found = dict(reference)
    if found["type"] == "path":
        found["path"] = str((workspace.root / found["path"]).resolve())
    if found["type"] == "git" and not {"ref", "rev"} & found.keys():
        found["ref"] = (
            "HEAD"  # else Nix would take the files of a local repository as they lie there
        )
    return found


def _moved(
    workspace: Workspace,
    pin: Pin,
    to: str | None,
    observe: Callable[[Event], None],
    *,
    explicit: bool,
) -> Mapping[str, Any]:
    """Fetch the newest state, write the new fields to flake-inputs.json, and return them."""
    fields = dict(pin.fields)
    if pin.type == "path" and "narHash" not in fields and not explicit:
        return fields
    reference = pin.reference
    if to is not None:
        if pin.type in _MOVED:
            fields[_MOVED[pin.type]] = reference[_MOVED[pin.type]] = to
        elif _REV.fullmatch(to):
            if pin.type != "git":
                reference.pop("ref", None)
            reference["rev"] = to
        else:
            fields["ref"] = reference["ref"] = to
    # before anything is fetched: a pin may not be able to have this value
    _require_sound(_edited(workspace, pin.name, fields))
    found = fetch_tree(
        tree_reference(workspace, reference),
        name=pin.name,
        origin=pin.origin if pin.type not in _MOVED else str(fields[_MOVED[pin.type]]),
        runner=SubprocessRunner(),
        options=NixOptions.of_host(),
        observe=observe,
    )
    if missing := missing_marks(pin.name, found.path):
        raise LockError(
            f"{pin.origin} has no tree of {pin.name}: there is no {' and no '.join(missing)}",
            where=pin.where,
            hint="correct the entry, or say where to go with --to",
        )
    fields = {**{k: v for k, v in fields.items() if k not in _EXACT}, **_exact(found)}
    if fields != pin.fields:
        workspace.write_inputs(_edited(workspace, pin.name, fields))
    return fields


def _exact(found: Fetched) -> dict[str, Any]:
    seconds = found.last_modified and int(found.last_modified.timestamp())
    exact = {"rev": found.rev, "narHash": found.nar_hash, "lastModified": seconds}
    return {name: value for name, value in exact.items() if value is not None}


def _edited(workspace: Workspace, name: str, fields: Mapping[str, Any]) -> JsonText:
    """The text of flake-inputs.json with other fields in one entry."""
    text = read_pins(workspace).text
    for gone in set(text.document["inputs"][name]) - fields.keys() - {"type"}:
        text = text.without(("inputs", name, gone))
    for key, value in fields.items():
        if text.document["inputs"][name].get(key) != value:
            text = text.replaced(("inputs", name, key), value)
    return text


def _require_sound(text: JsonText) -> None:
    wrong = [message for path, message in faults("inputs-1", text) if message != "is missing"]
    if wrong:
        raise UsageError(
            f"--to {wrong[0]}", hint="`nixgen inputs update --help` says what it takes"
        )
