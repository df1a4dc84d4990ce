"""Read the database of a Nix store. Nothing writes to it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nixgen.driver.store.path_info import PathInfo, Realisation
from nixgen.store.digest import Hash

__all__ = ["outputs", "query", "realisations", "valid"]

_WANTED = "SELECT id FROM ValidPaths WHERE path IN (SELECT value FROM json_each(:paths))"
_ROWS = "SELECT id, path, hash, narSize, deriver, sigs, ca FROM ValidPaths"
_CLOSURE = (
    f"WITH RECURSIVE closure(id) AS ({_WANTED}"  # noqa: S608 - constants only
    " UNION SELECT reference FROM Refs JOIN closure ON referrer = closure.id) "
)


def valid(database: Path, paths: tuple[str, ...]) -> frozenset[str] | None:
    """The paths that are valid; None if the database cannot be read.

    :param database: the file.
    :param paths: full store paths.
    """
    found = _read(
        database,
        paths,
        "SELECT path FROM ValidPaths WHERE path IN (SELECT value FROM json_each(:paths))",
    )
    return None if found is None else frozenset(path for (path,) in found[0])


def query(database: Path, paths: tuple[str, ...], *, recursive: bool) -> dict[str, PathInfo] | None:
    """The metadata of valid paths, by path; None if the database cannot be read.

    :param database: the file.
    :param paths: full store paths. Invalid ones are left out.
    :param recursive: include the closure.
    """
    if recursive:
        prefix, chosen = _CLOSURE, "SELECT id FROM closure"
    else:
        prefix, chosen = "", _WANTED
    found = _read(
        database,
        paths,
        f"{prefix}{_ROWS} WHERE id IN ({chosen})",
        f"{prefix}SELECT referrer, path FROM Refs"  # noqa: S608 - constants only
        f" JOIN ValidPaths ON id = reference WHERE referrer IN ({chosen})",
    )
    if found is None:
        return None
    rows, edges = found
    references: dict[int, list[str]] = {}
    for referrer, path in edges:
        references.setdefault(referrer, []).append(path)
    return {
        path: PathInfo(
            path=path,
            nar_hash=str(Hash.parse(nar_hash)),
            nar_size=nar_size or 0,
            references=tuple(sorted(references.get(number, ()))),
            deriver=deriver or None,
            signatures=tuple((signatures or "").split()),
            ca=ca or None,
        )
        for number, path, nar_hash, nar_size, deriver, signatures, ca in rows
    }


def outputs(database: Path, drvs: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The output paths of valid derivations; none if the database cannot be read.

    :param database: the file.
    :param drvs: store paths of derivations.
    """
    by_drv: dict[str, list[str]] = {}
    found = _read(
        database,
        drvs,
        "SELECT ValidPaths.path, DerivationOutputs.path FROM DerivationOutputs"
        " JOIN ValidPaths ON ValidPaths.id = drv"
        " WHERE ValidPaths.path IN (SELECT value FROM json_each(:paths)) ORDER BY DerivationOutputs.id",
    )
    for drv, path in found[0] if found else ():
        by_drv.setdefault(drv, []).append(path)
    return {drv: tuple(paths) for drv, paths in by_drv.items()}


def realisations(database: Path, paths: tuple[str, ...]) -> list[Realisation]:
    """The realisations of store paths, in an order that depends on them alone.

    There are none if the database cannot be read. The table is missing until something
    content-addressed was built (``src/libstore/ca-specific-schema.sql``).

    :param database: the file.
    :param paths: full store paths.
    """
    found = _read(
        database,
        paths,
        "SELECT r.id, drvPath || '!' || outputName, path, signatures FROM Realisations r"  # noqa: S608 - constants only
        f" JOIN ValidPaths v ON v.id = outputPath WHERE v.id IN ({_WANTED}) ORDER BY 2",
        "SELECT referrer, drvPath || '!' || outputName, path FROM RealisationsRefs"
        " JOIN Realisations r ON r.id = realisationReference"
        " JOIN ValidPaths v ON v.id = outputPath ORDER BY 2",
    )
    rows, edges = found or ([], [])
    dependencies: dict[int, dict[str, str]] = {}
    for referrer, name, path in edges:
        dependencies.setdefault(referrer, {})[name] = path
    return [
        Realisation(
            id=name,
            path=path,
            signatures=tuple((signatures or "").split()),
            dependencies=dependencies.get(number, {}),
        )
        for number, name, path, signatures in rows
    ]


def _read(database: Path, paths: tuple[str, ...], *queries: str) -> list[list[Any]] | None:
    """The rows of each query, all of one state; None if the database cannot be read."""
    # `immutable` would be faster still, but wrong: Nix may be writing through its WAL.
    uri = f"file:{quote(str(database))}?mode=ro"
    wanted = {"paths": json.dumps(paths)}
    try:
        with contextlib.closing(
            sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN")
            return [connection.execute(query, wanted).fetchall() for query in queries]
    except sqlite3.Error:
        return None
