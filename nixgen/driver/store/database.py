"""Read the database of a Nix store. Nothing writes to it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from nixgen.driver.store.path_info import PathInfo, Realisation
from nixgen.store.digest import Hash

__all__ = ["outputs", "query", "realisations", "valid"]

_WANTED = "SELECT id FROM ValidPaths WHERE path IN (SELECT value FROM json_each(?))"
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
    try:
        with _snapshot(database) as connection:
            rows = connection.execute(
                "SELECT path FROM ValidPaths WHERE path IN (SELECT value FROM json_each(?))",
                (json.dumps(paths),),
            )
            return frozenset(path for (path,) in rows)
    except sqlite3.Error:
        return None


def query(database: Path, paths: tuple[str, ...], *, recursive: bool) -> dict[str, PathInfo] | None:
    """The metadata of valid paths, by path; None if the database cannot be read.

    :param database: the file.
    :param paths: full store paths. Invalid ones are left out.
    :param recursive: include the closure.
    """
    wanted = (json.dumps(paths),)
    if recursive:
        prefix, chosen = _CLOSURE, "SELECT id FROM closure"
    else:
        prefix, chosen = "", _WANTED
    try:
        with _snapshot(database) as connection:
            rows = connection.execute(f"{prefix}{_ROWS} WHERE id IN ({chosen})", wanted).fetchall()
            edges = connection.execute(
                f"{prefix}SELECT referrer, path FROM Refs"  # noqa: S608 - constants only
                f" JOIN ValidPaths ON id = reference WHERE referrer IN ({chosen})",
                wanted,
            ).fetchall()
    except sqlite3.Error:
        return None
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
    with contextlib.suppress(sqlite3.Error), _snapshot(database) as connection:
        for drv, path in connection.execute(
            "SELECT ValidPaths.path, DerivationOutputs.path FROM DerivationOutputs"
            " JOIN ValidPaths ON ValidPaths.id = drv"
            " WHERE ValidPaths.path IN (SELECT value FROM json_each(?)) ORDER BY DerivationOutputs.id",
            (json.dumps(drvs),),
        ):
            by_drv.setdefault(drv, []).append(path)
    return {drv: tuple(paths) for drv, paths in by_drv.items()}


def realisations(database: Path, paths: tuple[str, ...]) -> list[Realisation]:
    """The realisations of store paths, in an order that depends on them alone.

    There are none if the database cannot be read. The table is missing until something
    content-addressed was built (``src/libstore/ca-specific-schema.sql``).

    :param database: the file.
    :param paths: full store paths.
    """
    wanted = (json.dumps(paths),)
    try:
        with _snapshot(database) as connection:
            rows = connection.execute(
                "SELECT r.id, drvPath || '!' || outputName, path, signatures FROM Realisations r"  # noqa: S608 - constants only
                f" JOIN ValidPaths v ON v.id = outputPath WHERE v.id IN ({_WANTED}) ORDER BY 2",
                wanted,
            ).fetchall()
            edges = connection.execute(
                "SELECT referrer, drvPath || '!' || outputName, path FROM RealisationsRefs"
                " JOIN Realisations r ON r.id = realisationReference"
                " JOIN ValidPaths v ON v.id = outputPath ORDER BY 2"
            ).fetchall()
    except sqlite3.Error:
        return []
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


@contextlib.contextmanager
def _snapshot(database: Path) -> Iterator[sqlite3.Connection]:
    # `immutable` would be faster still, but wrong: Nix may be writing through its WAL.
    connection = sqlite3.connect(
        f"file:{quote(str(database))}?mode=ro", uri=True, timeout=10, isolation_level=None
    )
    try:
        connection.execute("BEGIN")  # both queries see one state
        yield connection
    finally:
        connection.close()
