"""Read flake-inputs.json, the only file that holds pins.

Its schema is ``nixgen/inputs/1``, in ``nixgen/documents/inputs-1.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from nixgen.documents.jsontext import JsonPath, JsonText, path_text
from nixgen.documents.schema import faults
from nixgen.errors import LockError, Problem

__all__ = ["BASE_INPUTS", "DEBIAN", "FILE", "SCHEMA", "Inputs", "Pin", "described", "missing_marks"]

FILE = "flake-inputs.json"
SCHEMA = "nixgen/inputs/1"
#: The type of the entry that the Debian base reads.
DEBIAN = "debian"

#: Input → files and folders that every tree of it has.
_MARKS: Mapping[str, tuple[str, ...]] = {
    "kubenix": ("modules/k8s.nix",),
    "nixpkgs": ("default.nix", "nixos/lib"),
}
#: The inputs that the nixpkgs base reads.
BASE_INPUTS = tuple(_MARKS)
_HOSTS = {"github": "github.com", "gitlab": "gitlab.com"}
#: The fields that `nixgen inputs update` fills in.
_LOCKED = frozenset({"rev", "narHash"})


@attrs.frozen(kw_only=True)
class Pin:
    """One entry of flake-inputs.json.

    :param name: the name of the input.
    :param type: its type, such as ``github``, ``git``, ``tarball``, ``path`` or ``debian``.
    :param fields: its fields as written, without ``type``.
    :param where: the file and the line at which the entry begins.
    """

    name: str
    type: str
    fields: Mapping[str, Any]
    where: str

    @property
    def is_locked(self) -> bool:
        """Whether the entry fixes its content exactly, as far as its type can."""
        exact = {"path": set(), DEBIAN: set(), "tarball": {"narHash"}}.get(self.type, _LOCKED)
        return self.fields.keys() >= exact

    @property
    def origin(self) -> str:
        """The source of the input as people write it: a URL, a path, or a Debian suite."""
        fields = self.fields
        if self.type in _HOSTS:
            return f"https://{fields.get('host', _HOSTS[self.type])}/{fields['owner']}/{fields['repo']}"
        return str(fields.get("url") or fields.get("path") or fields.get("suite"))

    @property
    def reference(self) -> dict[str, Any]:
        """The attributes of a flake input that say what to follow. Relative paths stay relative."""
        follows = ("host", "owner", "path", "ref", "repo", "url")
        reference = {"type": self.type, **{k: self.fields[k] for k in follows if k in self.fields}}
        if self.type == "gitlab":  # Nix wants the slash of a nested group like this
            reference["owner"] = reference["owner"].replace("/", "%2F")
        return reference

    @property
    def locked(self) -> dict[str, Any]:
        """The attributes of `reference` and the exact commit, its hash and its date.

        From a forge, Nix takes a commit or a branch, but not both, so the branch is left out. git
        needs the branch to find the commit, so it stays.
        """
        reference = self.reference
        if self.type in _HOSTS:
            reference.pop("ref", None)
        exact = ("lastModified", "narHash", "rev")
        return {**reference, **{k: self.fields[k] for k in exact if k in self.fields}}


@attrs.frozen(kw_only=True)
class Inputs:
    """All pins of a project.

    :param pins: input → its pin, sorted by name.
    :param text: the text of flake-inputs.json.
    """

    pins: Mapping[str, Pin]
    text: JsonText

    @classmethod
    def read(cls, path: Path, *, unlocked: bool = False) -> Inputs:
        """Read and validate flake-inputs.json.

        :param path: the file.
        :param unlocked: entries may lack the fields that `nixgen inputs update` fills in: ``rev``
            and ``narHash``.
        :raises LockError: the file is missing, is not JSON, has another schema, or has wrong
            entries. The error names every wrong entry with its line.
        """
        if not path.exists():
            raise LockError(
                f"{path} does not exist",
                hint="run `nixgen init` in an empty folder and copy its flake-inputs.json here",
            )
        text = JsonText.read(
            path,
            path.name,
            LockError,
            missing="make it readable for this user",
            malformed="restore it with git",
        )
        schema = text.document.get("schema") if isinstance(text.document, dict) else None
        if schema != SCHEMA:
            raise LockError(
                f"{path.name} has the schema {schema!r}; this nixgen reads {SCHEMA!r}",
                where=path.name,
                hint="use the nixgen that wrote it, or restore the file with git",
            )
        wrong = [fault for fault in faults("inputs-1", text) if not (unlocked and _to_lock(fault))]
        if wrong:
            raise LockError(
                f"{path.name} has {len(wrong)} problem{'' if len(wrong) == 1 else 's'}",
                problems=_problems(text, path.name, wrong),
            )
        return cls(
            text=text,
            pins={
                name: Pin(
                    name=name,
                    type=entry["type"],
                    fields={k: v for k, v in entry.items() if k != "type"},
                    where=f"{path.name}:{text.line(('inputs', name))}",
                )
                for name, entry in sorted(text.document["inputs"].items())
            },
        )

    @property
    def trees(self) -> Mapping[str, Pin]:
        """The pins that Nix expressions are read from: every pin except Debian's."""
        return {name: pin for name, pin in self.pins.items() if pin.type != DEBIAN}

    @property
    def debian(self) -> Pin:
        """The pin of Debian.

        :raises LockError: the project pins no Debian.
        """
        for pin in self.pins.values():
            if pin.type == DEBIAN:
                return pin
        raise LockError(
            f"{FILE} has no entry of type debian",
            hint='add "debian": {"type": "debian", "suite": "bookworm", "architectures": ["amd64"], '
            '"lock": "debian.lock.json"}',
        )


def described(fields: Mapping[str, Any]) -> str:
    """A short description of the pinned content, such as ``917fec990948 of 2026-03-05``.

    :param fields: the fields of an entry.
    """
    if "suite" in fields:
        return str(fields["suite"])
    if "rev" in fields:
        what = str(fields["rev"])[:12]
    elif "narHash" in fields:
        what = f"{str(fields['narHash'])[:19]}…"
    else:
        return "read as it is" if "path" in fields else "nothing yet"
    if "lastModified" not in fields:
        return what
    return f"{what} of {datetime.fromtimestamp(fields['lastModified'], UTC):%Y-%m-%d}"


def missing_marks(name: str, tree: Path) -> list[str]:
    """The files and folders that a folder lacks to be a tree of an input.

    :param name: the name of the input.
    :param tree: the folder.
    """
    return [mark for mark in _MARKS.get(name, ()) if not (tree / mark).exists()]


def _to_lock(fault: tuple[JsonPath, str]) -> bool:
    path, message = fault
    return len(path) == 3 and path[2] in _LOCKED and message == "is missing"


def _problems(text: JsonText, file: str, wrong: list[tuple[JsonPath, str]]) -> Iterator[Problem]:
    for path, message in wrong:
        hint = None
        if _to_lock((path, message)):
            hint = f"fill it in with: nixgen inputs update {path[1]}"
        yield Problem(path_text(path), message, where=f"{file}:{text.line(path)}", hint=hint)
