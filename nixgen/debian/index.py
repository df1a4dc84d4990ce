"""Debian's package index: what versions exist, parsed once and kept as a small database.

The parsed form is cached per set of Release files: those name the exact contents of every list, so a cache entry is
never out of date, only unused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

from attrs import frozen

__all__ = ["Entry", "Index", "Source", "cache_folder", "open_cached", "parse"]

_FORMAT = "2"
_SCHEMA = """
create table package (
  name text, version text, archive text, path text, sha256 text, size integer,
  pre_depends text, depends text, provides text
);
create table provides (name text, provider text);
"""
_INDEXES = """
create index package_name on package (name);
create index provides_name on provides (name);
"""
_WANTED = frozenset(
    {"Package", "Version", "Filename", "SHA256", "Size", "Pre-Depends", "Depends", "Provides"}
)


@frozen(kw_only=True)
class Entry:
    """One version of one package, fields as the index spells them.

    :param archive: ``debian`` or ``debian-security``.
    :param path: relative to the archive's URL.
    :param size: of the .deb, in bytes.
    """

    name: str
    version: str
    archive: str
    path: str
    sha256: str
    size: int
    pre_depends: str = ""
    depends: str = ""
    provides: str = ""


@frozen(kw_only=True)
class Source:
    """One Packages list.

    :param digest: identifies its contents, such as the hash of the Release file that names it.
    :param read: gives the text; called only when the cache has no answer.
    """

    archive: str
    digest: str
    read: Callable[[], str]


def parse(text: str, archive: str) -> Iterator[Entry]:
    """The entries of a Packages list (RFC 822-like stanzas). Stanzas without a file are left out."""
    for stanza in text.split("\n\n"):
        fields = {}
        for line in stanza.split("\n"):
            name, colon, value = line.partition(": ")
            if colon and name in _WANTED:
                fields[name] = value
        if "Filename" in fields and "SHA256" in fields:
            yield Entry(
                name=fields["Package"],
                version=fields["Version"],
                archive=archive,
                path=fields["Filename"],
                sha256=fields["SHA256"],
                size=int(fields["Size"]),
                pre_depends=fields.get("Pre-Depends", ""),
                depends=fields.get("Depends", ""),
                provides=fields.get("Provides", ""),
            )


class Index:
    """Packages by name. Close it, or use it as a context manager."""

    def __init__(self, connection: sqlite3.Connection, suite: str, architecture: str) -> None:
        self._connection = connection
        self.suite = suite
        self.architecture = architecture

    @classmethod
    def of(
        cls, entries: Iterable[Entry], *, suite: str = "test", architecture: str = "amd64"
    ) -> Index:
        """An index in memory."""
        connection = sqlite3.connect(":memory:")
        _fill(connection, entries)
        return cls(connection, suite, architecture)

    def versions(self, name: str) -> tuple[Entry, ...]:
        """Every version of a package, in no particular order."""
        rows = self._connection.execute(
            "select name, version, archive, path, sha256, size, pre_depends, depends, provides "
            "from package where name = ?",
            (name,),
        )
        return tuple(
            Entry(
                name=row[0],
                version=row[1],
                archive=row[2],
                path=row[3],
                sha256=row[4],
                size=row[5],
                pre_depends=row[6],
                depends=row[7],
                provides=row[8],
            )
            for row in rows
        )

    def providers(self, name: str) -> tuple[str, ...]:
        """Names of the packages that provide ``name``, sorted."""
        rows = self._connection.execute(
            "select distinct provider from provides where name = ? order by provider", (name,)
        )
        return tuple(row[0] for row in rows)

    def names(self) -> tuple[str, ...]:
        return tuple(
            row[0] for row in self._connection.execute("select distinct name from package")
        )

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _provided(field: str) -> Iterator[str]:
    return (
        part.split("(", 1)[0].strip().split(":", 1)[0] for part in field.split(",") if part.strip()
    )


def _fill(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    connection.executescript(_SCHEMA)
    provides: list[tuple[str, str]] = []

    def rows() -> Iterator[tuple[str | int, ...]]:
        for entry in entries:
            if entry.provides:
                provides.extend((name, entry.name) for name in _provided(entry.provides))
            yield (
                entry.name,
                entry.version,
                entry.archive,
                entry.path,
                entry.sha256,
                entry.size,
                entry.pre_depends,
                entry.depends,
                entry.provides,
            )

    connection.executemany("insert into package values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows())
    connection.executemany("insert into provides values (?, ?)", provides)
    connection.executescript(_INDEXES)
    connection.commit()


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nixgen" / "debian"


def open_cached(sources: Iterable[Source], *, suite: str, architecture: str, folder: Path) -> Index:
    """The index over ``sources``, from ``folder`` when it was parsed before.

    Written beside and renamed into place: a killed run leaves no half cache.
    """
    known = tuple(sources)
    key = "\n".join([_FORMAT, suite, architecture, *(f"{s.archive} {s.digest}" for s in known)])
    path = folder / f"{suite}-{architecture}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.sqlite"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".index-")
        os.close(handle)
        try:
            with contextlib.closing(sqlite3.connect(name)) as connection:
                connection.execute("pragma journal_mode = off")
                connection.execute("pragma synchronous = off")
                _fill(connection, (e for s in known for e in parse(s.read(), s.archive)))
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    return Index(connection, suite, architecture)
