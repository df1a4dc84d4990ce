"""The package index of Debian, parsed once and kept as a database.

The name of a database is a digest of the Release files, which have the hash of every list. So a
database is never out of date.
"""

from __future__ import annotations

import contextlib
import hashlib
import operator
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

from attrs import field, fields, frozen

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
#: Field of a stanza → field of `Entry`.
_FIELDS = {
    "Package": "name",
    "Version": "version",
    "Filename": "path",
    "SHA256": "sha256",
    "Size": "size",
    "Pre-Depends": "pre_depends",
    "Depends": "depends",
    "Provides": "provides",
}


@frozen(kw_only=True)
class Entry:
    """A version of a package. The texts are those of the index.

    :param name: the name of the package.
    :param version: the version.
    :param archive: ``debian`` or ``debian-security``.
    :param path: the path of the .deb below the URL of the archive.
    :param sha256: the hash of the .deb, 64 hexadecimal digits.
    :param size: the size of the .deb in bytes.
    :param pre_depends: the field Pre-Depends.
    :param depends: the field Depends.
    :param provides: the field Provides.
    """

    name: str
    version: str
    archive: str
    path: str
    sha256: str
    size: int = field(converter=int)
    pre_depends: str = ""
    depends: str = ""
    provides: str = ""


_COLUMNS = tuple(each.name for each in fields(Entry))
_row = operator.attrgetter(*_COLUMNS)


@frozen(kw_only=True)
class Source:
    """A Packages list.

    :param archive: ``debian`` or ``debian-security``.
    :param digest: identifies its content, such as the hash of the Release file that names it.
    :param read: returns the text. It is called only if no database exists.
    """

    archive: str
    digest: str
    read: Callable[[], str]


def parse(text: str, archive: str) -> Iterator[Entry]:
    """Read a Packages list. Stanzas without a .deb are left out.

    :param text: the stanzas, similar to RFC 822.
    :param archive: ``debian`` or ``debian-security``.
    """
    for stanza in text.split("\n\n"):
        given = {}
        for line in stanza.split("\n"):
            name, colon, value = line.partition(": ")
            if colon and name in _FIELDS:
                given[_FIELDS[name]] = value
        if "path" in given and "sha256" in given:
            yield Entry(archive=archive, **given)


class Index:
    """The packages of a suite, by name. Close it, or use it as a context manager.

    :param connection: the database.
    :param suite: such as ``bookworm``.
    :param architecture: such as ``amd64``.
    """

    def __init__(self, connection: sqlite3.Connection, suite: str, architecture: str) -> None:
        self._connection = connection
        self.suite = suite
        self.architecture = architecture

    @classmethod
    def in_memory(
        cls, entries: Iterable[Entry], *, suite: str = "test", architecture: str = "amd64"
    ) -> Index:
        """An index without a file.

        :param entries: the packages.
        :param suite: such as ``bookworm``.
        :param architecture: such as ``amd64``.
        """
        connection = sqlite3.connect(":memory:")
        _fill(connection, entries)
        return cls(connection, suite, architecture)

    def versions(self, name: str) -> tuple[Entry, ...]:
        """Every version of a package, in any order.

        :param name: the name of the package.
        """
        rows = self._connection.execute(
            f"select {', '.join(_COLUMNS)} from package where name = ?",  # noqa: S608 - constants only
            (name,),
        )
        return tuple(Entry(**dict(zip(_COLUMNS, row, strict=True))) for row in rows)

    def providers(self, name: str) -> tuple[str, ...]:
        """The names of the packages that provide a name, sorted.

        :param name: the name.
        """
        rows = self._connection.execute(
            "select distinct provider from provides where name = ? order by provider", (name,)
        )
        return tuple(row[0] for row in rows)

    def names(self) -> tuple[str, ...]:
        """The names of all packages, in any order."""
        return tuple(
            row[0] for row in self._connection.execute("select distinct name from package")
        )

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _provided(names: str) -> Iterator[str]:
    return (
        part.split("(", 1)[0].strip().split(":", 1)[0] for part in names.split(",") if part.strip()
    )


def _fill(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    connection.executescript(_SCHEMA)
    provides: list[tuple[str, str]] = []

    def rows() -> Iterator[tuple[str | int, ...]]:
        for entry in entries:
            if entry.provides:
                provides.extend((name, entry.name) for name in _provided(entry.provides))
            yield _row(entry)

    connection.executemany("insert into package values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows())
    connection.executemany("insert into provides values (?, ?)", provides)
    connection.executescript(_INDEXES)
    connection.commit()


def cache_folder() -> Path:
    """The user's folder of databases."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nixgen" / "debian"


def open_cached(sources: Iterable[Source], *, suite: str, architecture: str, folder: Path) -> Index:
    """Open the database of some lists, and make it if it does not exist.

    It is written to another name and then renamed, so a run that is killed leaves no half database.

    :param sources: the lists.
    :param suite: such as ``bookworm``.
    :param architecture: such as ``amd64``.
    :param folder: the folder of databases.
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
