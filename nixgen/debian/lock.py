"""debian.lock.json: the exact packages of the Debian base.

Its schema is ``nixgen/debian-lock/1`` (docs/contracts.md §3).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from attrs import frozen

from nixgen.debian.mirrors import ARCHIVES
from nixgen.errors import LockError
from nixgen.files.write import write_atomically
from nixgen.records.format import Format
from nixgen.records.rules import Rule, at_least, matching

__all__ = [
    "Architecture",
    "Busybox",
    "Lock",
    "Locked",
    "Resolution",
    "read_lock",
    "write_lock",
]

_UPDATE = "run `nixgen inputs update debian` to write it again"
# https://www.debian.org/doc/debian-policy/ch-controlfields.html#source
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~:%-]*(/[A-Za-z0-9+_~:%-][A-Za-z0-9+._~:%-]*)*\.deb")


def _is_nar_hash(text: str) -> bool:
    try:
        return text.startswith("sha256-") and len(base64.b64decode(text[7:], validate=True)) == 32
    except ValueError:
        return False


_Archive = Annotated[str, Rule(lambda text: text in ARCHIVES, " or ".join(ARCHIVES))]
_Sha256 = Annotated[str, matching(r"[0-9a-f]{64}", "64 hexadecimal digits")]
_NarHash = Annotated[str, Rule(_is_nar_hash, "sha256- and the base64 of 32 bytes")]


@frozen(kw_only=True)
class Locked:
    """The .deb of a package.

    :param version: its version.
    :param archive: one of `ARCHIVES`.
    :param path: its path below the URL of the archive.
    :param sha256: its hash, 64 hexadecimal digits.
    :param size: its size in bytes.
    :param depends: the names of the locked packages that it needs, sorted.
    """

    version: str
    archive: _Archive
    path: Annotated[str, matching(_POOL, "the path of a .deb file")]
    sha256: _Sha256
    size: Annotated[int, at_least(1, "a size in bytes")]
    depends: tuple[str, ...]


@frozen(kw_only=True)
class Busybox:
    """The static executable that builds everything else.

    :param sha256: the hash of the file, 64 hexadecimal digits.
    :param nar_hash: the hash of the NAR of a folder with the executable ``bin/busybox``,
        ``sha256-<base64>``.
    """

    sha256: _Sha256
    nar_hash: _NarHash


@frozen(kw_only=True)
class Resolution:
    """The packages that are locked for one Debian architecture.

    :param roots: attribute name → names of Debian packages.
    :param packages: name of a Debian package → its .deb. All packages in ``depends`` are locked,
        too.
    :param units: name → two or more packages that become one store path, because they depend on
        each other, or expect the others' files in their own folder. Any other package has its own
        path.
    """

    roots: Mapping[str, tuple[str, ...]]
    packages: Mapping[str, Locked]
    units: Mapping[str, tuple[str, ...]]


@frozen(kw_only=True)
class Architecture(Resolution):
    """Everything that is locked for one Debian architecture.

    :param busybox: the builder of every derivation.
    """

    busybox: Busybox


@frozen(kw_only=True)
class Lock:
    """The content of debian.lock.json.

    :param suite: the suite of Debian, such as ``bookworm``.
    :param architectures: Debian's name of an architecture, such as ``amd64`` → its packages.
    """

    suite: str
    architectures: Mapping[str, Architecture]


def _check(lock: Lock) -> Iterator[tuple[str, str]]:
    """The faults between packages."""
    for name, architecture in lock.architectures.items():
        yield from _check_architecture(architecture, f"$.architectures.{name}")


def _check_architecture(arch: Architecture, place: str) -> Iterator[tuple[str, str]]:
    named: dict[str, tuple[str, ...]] = {}
    for package, locked in arch.packages.items():
        if not _NAME.fullmatch(package):
            yield f"{place}.packages", f"{package!r} is not the name of a Debian package"
        named[f"{place}.packages.{package}.depends"] = locked.depends
    named |= {f"{place}.roots.{root}": packages for root, packages in arch.roots.items()}
    named |= {f"{place}.units.{unit}": packages for unit, packages in arch.units.items()}
    for where, packages in named.items():
        for index, package in enumerate(packages):
            if package not in arch.packages:
                yield f"{where}[{index}]", f"names {package!r}, which is not in the lock"
    first: dict[str, str] = {}
    for unit, members in arch.units.items():
        for member in members:
            if first.setdefault(member, unit) != unit:
                yield f"{place}.units.{unit}", f"and {first[member]} both hold {member}"


_LOCK = Format(
    schema="nixgen/debian-lock/1",
    shape=Lock,
    error=LockError,
    hint=_UPDATE,
    check=_check,
)


def read_lock(path: Path) -> Lock:
    """Read a lock.

    :param path: the file.
    :raises LockError: it is missing, is not JSON, has another schema, or is wrong. The error names
        the file and the place of each fault.
    """
    if not path.exists():
        raise LockError(f"{path.name} is missing", hint=_UPDATE)
    return _LOCK.parse(_LOCK.bytes_of(path), source=path.name)


def write_lock(lock: Lock, path: Path) -> bool:
    """Write a lock to a file, atomically, if it differs.

    :param lock: the lock.
    :param path: the file.
    :return: whether the file changed.
    :raises StoreError: the folder cannot be written.
    """
    data = _LOCK.text(lock).encode()
    if path.exists() and path.read_bytes() == data:
        return False
    write_atomically(path, data)
    return True
