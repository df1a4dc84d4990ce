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
from nixgen.records.rules import Rule, matching

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
_ARCHITECTURE = re.compile(r"[a-z0-9-]+")
# an attribute of nixpkgs, or a library of a language: perlPackages.LWP::UserAgent
_ROOT = re.compile(r"[A-Za-z_][A-Za-z0-9_'+-]*(\.[A-Za-z0-9_'@:/.+-]+)?")
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~:%-]*(/[A-Za-z0-9+_~:%-][A-Za-z0-9+._~:%-]*)*\.deb")


def _is_nar_hash(text: str) -> bool:
    try:
        return text.startswith("sha256-") and len(base64.b64decode(text[7:], validate=True)) == 32
    except ValueError:
        return False


#: No package is as large; Nix, too, counts in 64 bits.
_TOO_LARGE = 1 << 40
# https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
_Version = Annotated[str, matching(r"[0-9A-Za-z.+:~-]+", "a version of Debian")]
_Size = Annotated[int, Rule(lambda size: 0 < size < _TOO_LARGE, "a size in bytes")]
_Suite = Annotated[str, matching(r"[a-z][a-z0-9-]*", "the name of a suite")]
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

    version: _Version
    archive: _Archive
    path: Annotated[str, matching(_POOL, "the path of a .deb file")]
    sha256: _Sha256
    size: _Size
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

    suite: _Suite
    architectures: Mapping[str, Architecture]


def _check(lock: Lock) -> Iterator[tuple[str, str]]:
    """The faults between packages."""
    for name, architecture in lock.architectures.items():
        if not _ARCHITECTURE.fullmatch(name):
            yield "$.architectures", f"{name!r} is not an architecture of Debian"
        yield from _check_architecture(architecture, f"$.architectures.{name}")


def _check_architecture(arch: Architecture, place: str) -> Iterator[tuple[str, str]]:
    named: dict[str, tuple[str, ...]] = {}
    for package, locked in arch.packages.items():
        if not _NAME.fullmatch(package):
            yield f"{place}.packages", f"{package!r} is not the name of a Debian package"
        named[f"{place}.packages.{package}.depends"] = locked.depends
    for kind, names, rule in (("roots", arch.roots, _ROOT), ("units", arch.units, _UNIT)):
        for name in names:
            if not rule.fullmatch(name):
                yield f"{place}.{kind}", f"{name!r} is not a name that this table may have"
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
    if circle := _circle(arch, first):
        yield f"{place}.packages", f"depend on each other without a unit: {' → '.join(circle)}"


def _circle(arch: Architecture, units: Mapping[str, str]) -> list[str]:
    """Store paths of which each needs the next one, and the last is the first. Empty if none do:
    Nix cannot build those that do.

    :param units: package → its unit.
    """
    needs: dict[str, set[str]] = {}
    for package, locked in arch.packages.items():
        own = units.get(package, package)
        others = {units.get(each, each) for each in locked.depends}
        needs.setdefault(own, set()).update(others - {own})
    done: set[str] = set()
    for start, first in needs.items():
        # a loop, not a recursion: a chain may have as many links as the lock has packages
        path: dict[str, list[str]] = {start: sorted(first)}
        while path:
            last = next(reversed(path))
            if not path[last]:
                done.add(last)
                del path[last]
                continue
            following = path[last].pop()
            if following in path:
                links = list(path)
                return [*links[links.index(following) :], following]
            if following not in done:
                path[following] = sorted(needs.get(following, ()))
    return []


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
