"""flake-inputs.json: the only place of pins (schema ``nixgen/inputs/1``)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from nixgen.errors import LockError

__all__ = ["DEBIAN", "FILE", "SCHEMA", "Inputs", "Pin"]

FILE = "flake-inputs.json"
SCHEMA = "nixgen/inputs/1"
#: The name of the entry that the Debian base reads.
DEBIAN = "debian"

_REV = re.compile(r"[0-9a-f]{40}")
#: type → the fields it must have, besides ``type``; every one is text unless told otherwise below
_TYPES: Mapping[str, tuple[str, ...]] = {
    "debian": ("suite", "architectures", "lock"),
    "github": ("owner", "repo", "rev", "narHash"),
    "gitlab": ("owner", "repo", "rev", "narHash"),
    "git": ("url", "rev", "narHash"),
    "tarball": ("url", "narHash"),
    "path": ("path",),
}
_OPTIONAL = frozenset({"lastModified", "ref", "host"})


@attrs.frozen(kw_only=True)
class Pin:
    """One entry.

    :param fields: its fields as written, without ``type``.
    """

    name: str
    type: str
    fields: Mapping[str, Any]

    @property
    def version(self) -> str:
        """What people know it by: a revision, a suite, a path."""
        for field in ("rev", "suite", "path", "url"):
            if field in self.fields:
                return str(self.fields[field])
        return ""


@attrs.frozen(kw_only=True)
class Inputs:
    """All pins of a project, by name."""

    pins: Mapping[str, Pin]

    @classmethod
    def read(cls, path: Path) -> Inputs:
        """:raises LockError: missing, not JSON, of another schema, or wrong in an entry; the entry is named."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise LockError(
                f"{path} does not exist",
                hint="run `nixgen init` in an empty folder and copy its flake-inputs.json here",
            ) from error
        except UnicodeDecodeError as error:
            raise LockError(f"{path} is not UTF-8 text: {error.reason}") from error
        try:
            document = json.loads(text)
        except ValueError as error:
            raise LockError(
                f"{path.name} is not JSON: {error}", where=path.name, hint="restore it with git"
            ) from error
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise LockError(
                f"{path.name} has the schema {schema!r}; this nixgen reads {SCHEMA!r}",
                where=path.name,
                hint="use the nixgen that wrote it, or restore the file with git",
            )
        entries = document.get("inputs")
        problems = (
            [f"inputs: must be an object, not {entries!r}"] if not isinstance(entries, dict) else []
        )
        if isinstance(entries, dict):
            problems = [
                problem for name, entry in entries.items() for problem in _problems(name, entry)
            ]
        if problems:
            raise LockError(f"{path.name} is wrong", where=path.name, details=problems)
        return cls(
            pins={
                name: Pin(
                    name=name,
                    type=entry["type"],
                    fields={k: v for k, v in entry.items() if k != "type"},
                )
                for name, entry in sorted(entries.items())
            }
        )

    @property
    def debian(self) -> Pin:
        """:raises LockError: the project pins no Debian."""
        for pin in self.pins.values():
            if pin.type == "debian":
                return pin
        raise LockError(
            f"{FILE} has no entry of type debian",
            hint='add "debian": {"type": "debian", "suite": "bookworm", "architectures": ["amd64"], '
            '"lock": "debian.lock.json"}',
        )


def _problems(name: str, entry: Any) -> Iterator[str]:
    at = f"inputs.{name}"
    if not isinstance(entry, dict):
        yield f"{at}: must be an object, not {entry!r}"
        return
    required = _TYPES.get(entry.get("type", ""))
    if required is None:
        yield f"{at}.type: must be one of {', '.join(_TYPES)}, not {entry.get('type')!r}"
        return
    for field in required:
        if field not in entry:
            yield f"{at}.{field}: is missing"
    for field in entry:
        if field not in required and field not in _OPTIONAL and field != "type":
            yield f"{at}.{field}: is not a field of the type {entry['type']}"
    for field, value in entry.items():
        yield from (f"{at}.{field}: {problem}" for problem in _field_problems(field, value))


def _field_problems(field: str, value: Any) -> Iterator[str]:
    match field:
        case "lastModified":
            if isinstance(value, bool) or not isinstance(value, int):
                yield f"must be seconds since 1970, not {value!r}"
        case "architectures":
            if (
                not isinstance(value, list)
                or not value
                or not all(isinstance(item, str) for item in value)
            ):
                yield f"must be a list of names such as amd64, not {value!r}"
        case "rev":
            if not isinstance(value, str) or not _REV.fullmatch(value):
                yield f"must be 40 hexadecimal digits, not {value!r}"
        case "narHash":
            if not isinstance(value, str) or not _is_sri_sha256(value):
                yield f"must be sha256-… as Nix prints it, not {value!r}"
        case _:
            if not isinstance(value, str) or not value:
                yield f"must be text, not {value!r}"


def _is_sri_sha256(value: str) -> bool:
    try:
        return value.startswith("sha256-") and len(base64.b64decode(value[7:], validate=True)) == 32
    except (binascii.Error, ValueError):
        return False
