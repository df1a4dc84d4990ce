"""A Nix store in a folder, made without Nix: the files, and the database that nixgen reads."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from nixgen.cache.format.nar import nar_hash, write_nar
from nixgen.driver.store.store import Store
from nixgen.store.digest import to_base32

__all__ = ["LocalStore", "local_store"]

# The columns that nixgen reads of Nix's own (src/libstore/schema.sql).
_SCHEMA = """
create table ValidPaths (id integer primary key autoincrement not null, path text unique not null,
    hash text not null, registrationTime integer not null, deriver text, narSize integer,
    ultimate integer, sigs text, ca text);
create table Refs (referrer integer not null, reference integer not null,
    primary key (referrer, reference));
create table DerivationOutputs (drv integer not null, id text not null, path text not null,
    primary key (drv, id));
"""


@frozen(kw_only=True)
class LocalStore:
    """What `local_store` made.

    :param store: reads it.
    :param paths: full store paths by the names that were given.
    """

    store: Store
    paths: Mapping[str, str]

    def file(self, name: str) -> Path:
        """Where the content of a path lies on the disk."""
        return self.store.real_path(self.paths[name])


def local_store(
    root: Path,
    contents: Mapping[str, bytes],
    references: Mapping[str, Sequence[str]] | None = None,
) -> LocalStore:
    """Make store paths that are single files.

    :param root: the folder above ``nix/store``.
    :param contents: name → what the file holds.
    :param references: name → the names that the path refers to.
    """
    store = Store(root=root)
    paths = {
        name: f"/nix/store/{to_base32(hashlib.sha1(name.encode()).digest())}-{name}"
        for name in contents
    }
    store.real_path("/nix/store").mkdir(parents=True)
    store.database.parent.mkdir(parents=True)
    connection = sqlite3.connect(store.database)
    connection.executescript(_SCHEMA)
    numbers: dict[str, int | None] = {}
    for name, content in contents.items():
        file = store.real_path(paths[name])
        file.write_bytes(content)
        size = sum(map(len, write_nar(file)))
        added = connection.execute(
            "insert into ValidPaths (path, hash, registrationTime, narSize) values (?, ?, 0, ?)",
            (paths[name], f"sha256:{nar_hash(file).hex}", size),
        )
        numbers[name] = added.lastrowid
    for name, others in (references or {}).items():
        connection.executemany(
            "insert into Refs values (?, ?)", [(numbers[name], numbers[other]) for other in others]
        )
    connection.commit()
    connection.close()
    return LocalStore(store=store, paths=paths)
