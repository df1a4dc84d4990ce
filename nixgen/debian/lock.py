"""debian.lock.json: every package of the Debian base, exactly (schema ``nixgen/debian-lock/1``, contract 3)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from nixgen.debian.mirrors import ARCHIVES
from nixgen.errors import LockError
from nixgen.files.write import write_atomically

__all__ = [
    "SCHEMA",
    "Architecture",
    "Busybox",
    "Lock",
    "Locked",
    "dump_lock",
    "read_lock",
    "write_lock",
]

SCHEMA = "nixgen/debian-lock/1"
_UPDATE = "run `nixgen inputs update debian` to write it anew"
_HEX = re.compile(r"[0-9a-f]{64}")
# https://www.debian.org/doc/debian-policy/ch-controlfields.html#source
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~:%-]*(/[A-Za-z0-9+_~:%-][A-Za-z0-9+._~:%-]*)*\.deb")


@frozen(kw_only=True)
class Locked:
    """One package file.

    :param path: below the archive's URL.
    :param sha256: of the .deb, 64 hexadecimal digits.
    :param size: of the .deb, in bytes.
    :param depends: names of locked packages, sorted.
    """

    version: str
    archive: str
    path: str
    sha256: str
    size: int
    depends: tuple[str, ...]


@frozen(kw_only=True)
class Busybox:
    """The static executable that unpacks everything else.

    :param sha256: of the file, 64 hexadecimal digits.
    :param nar_hash: of a folder holding it as ``bin/busybox``, executable: ``sha256-<base64>``.
    """

    sha256: str
    nar_hash: str


@frozen(kw_only=True)
class Architecture:
    """What is locked for one Debian architecture.

    :param roots: attribute name → Debian packages.
    :param packages: Debian name → file; closed under ``depends``.
    :param units: name → two or more packages that become one store path, because they depend on each other or look
        for their files beside each other. Packages in none are a unit of their own.
    """

    roots: Mapping[str, tuple[str, ...]]
    packages: Mapping[str, Locked]
    units: Mapping[str, tuple[str, ...]]
    busybox: Busybox


@frozen(kw_only=True)
class Lock:
    suite: str
    architectures: Mapping[str, Architecture]


class _Reader:
    """Walks a JSON value; every complaint names the file and the JSON path."""

    def __init__(self, file: str) -> None:
        self.file = file

    def wrong(self, path: str, message: str) -> LockError:
        return LockError(f"{self.file}: {path or 'the top level'} {message}", hint=_UPDATE)

    def mapping(self, value: Any, path: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(path, "is not an object")
        return value

    def record(self, value: Any, path: str, keys: frozenset[str]) -> Mapping[str, Any]:
        found = self.mapping(value, path)
        for key in sorted(keys - found.keys()):
            raise self.wrong(f"{path}.{key}", "is missing")
        for key in sorted(found.keys() - keys):
            raise self.wrong(f"{path}.{key}", "is not known to this version of nixgen")
        return found

    def text(self, value: Any, path: str, pattern: re.Pattern[str] | None = None) -> str:
        if not isinstance(value, str):
            raise self.wrong(path, "is not a string")
        if pattern and not pattern.fullmatch(value):
            raise self.wrong(path, f"is {value!r}, which does not look right")
        return value

    def names(self, value: Any, path: str, known: Mapping[str, Any]) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.wrong(path, "is not a list")
        for number, name in enumerate(value):
            if self.text(name, f"{path}[{number}]") not in known:
                raise self.wrong(f"{path}[{number}]", f"names {name!r}, which is not in the lock")
        return tuple(value)

    def each(self, value: Any, path: str) -> list[tuple[str, Any, str]]:
        return [(key, item, f"{path}.{key}") for key, item in self.mapping(value, path).items()]


def _locked(reader: _Reader, value: Any, path: str, known: Mapping[str, Any]) -> Locked:
    keys = frozenset({"version", "archive", "path", "sha256", "size", "depends"})
    entry = reader.record(value, path, keys)
    if entry["archive"] not in ARCHIVES:
        raise reader.wrong(f"{path}.archive", f"is neither of {' and '.join(ARCHIVES)}")
    if isinstance(entry["size"], bool) or not isinstance(entry["size"], int) or entry["size"] < 1:
        raise reader.wrong(f"{path}.size", "is not a positive whole number")
    return Locked(
        version=reader.text(entry["version"], f"{path}.version"),
        archive=entry["archive"],
        path=reader.text(entry["path"], f"{path}.path", _POOL),
        sha256=reader.text(entry["sha256"], f"{path}.sha256", _HEX),
        size=entry["size"],
        depends=reader.names(entry["depends"], f"{path}.depends", known),
    )


def _nar_hash(reader: _Reader, value: Any, path: str) -> str:
    text = reader.text(value, path)
    try:
        if text.startswith("sha256-") and len(base64.b64decode(text[7:], validate=True)) == 32:
            return text
    except ValueError:
        pass
    raise reader.wrong(path, f"is {text!r}, not sha256- and the base64 of 32 bytes")


def _architecture(reader: _Reader, value: Any, path: str) -> Architecture:
    entry = reader.record(value, path, frozenset({"roots", "packages", "units", "busybox"}))
    known = reader.mapping(entry["packages"], f"{path}.packages")
    packages = {}
    for name, item, where in reader.each(known, f"{path}.packages"):
        reader.text(name, where, _NAME)
        packages[name] = _locked(reader, item, where, known)
    units = {
        n: reader.names(v, w, known) for n, v, w in reader.each(entry["units"], f"{path}.units")
    }
    seen: dict[str, str] = {}
    for unit, members in units.items():
        for member in members:
            if seen.setdefault(member, unit) != unit:
                raise reader.wrong(f"{path}.units.{unit}", f"and {seen[member]} both hold {member}")
    busybox = reader.record(entry["busybox"], f"{path}.busybox", frozenset({"sha256", "narHash"}))
    return Architecture(
        roots={
            n: reader.names(v, w, known) for n, v, w in reader.each(entry["roots"], f"{path}.roots")
        },
        packages=packages,
        units=units,
        busybox=Busybox(
            sha256=reader.text(busybox["sha256"], f"{path}.busybox.sha256", _HEX),
            nar_hash=_nar_hash(reader, busybox["narHash"], f"{path}.busybox.narHash"),
        ),
    )


def read_lock(path: Path) -> Lock:
    """:raises LockError: missing, not JSON, of another schema, or wrong anywhere; names the file and the place."""
    reader = _Reader(path.name)
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise LockError(f"{path.name} is missing", hint=_UPDATE) from None
    except OSError as error:
        raise LockError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LockError(f"{path.name} is not JSON: {error}", hint=_UPDATE) from None
    schema = reader.mapping(document, "").get("schema")
    if schema != SCHEMA:
        raise LockError(
            f"{path.name} has schema {schema!r}; this nixgen reads {SCHEMA!r}",
            hint=f"use the nixgen that wrote it, or {_UPDATE}",
        )
    top = reader.record(document, "", frozenset({"schema", "suite", "architectures"}))
    return Lock(
        suite=reader.text(top["suite"], "suite"),
        architectures={
            name: _architecture(reader, value, where)
            for name, value, where in reader.each(top["architectures"], "architectures")
        },
    )


def _document(lock: Lock) -> Mapping[str, Any]:
    return {
        "schema": SCHEMA,
        "suite": lock.suite,
        "architectures": {
            name: {
                "roots": {root: list(names) for root, names in arch.roots.items()},
                "packages": {
                    package: {
                        "version": item.version,
                        "archive": item.archive,
                        "path": item.path,
                        "sha256": item.sha256,
                        "size": item.size,
                        "depends": list(item.depends),
                    }
                    for package, item in arch.packages.items()
                },
                "units": {unit: list(members) for unit, members in arch.units.items()},
                "busybox": {"sha256": arch.busybox.sha256, "narHash": arch.busybox.nar_hash},
            }
            for name, arch in lock.architectures.items()
        },
    }


def dump_lock(lock: Lock) -> str:
    """The file's text: sorted keys, two spaces, a final newline."""
    return json.dumps(_document(lock), indent=2, sort_keys=True) + "\n"


def write_lock(lock: Lock, path: Path) -> bool:
    """Replace ``path`` atomically; True when its bytes changed.

    :raises StoreError: the folder cannot be written to.
    """
    data = dump_lock(lock).encode()
    if path.exists() and path.read_bytes() == data:
        return False
    write_atomically(path, data)
    return True
