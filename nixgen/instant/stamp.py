"""A build that has nothing to do, recognised before anything is loaded; and a dry run that would say the same again.

After a complete build, everything that its result depends on is written down: size, time and inode of each file, the
environment variables that count, the links of the GC roots. As long as all of it is as it was, the result is, too.
Any doubt means no: the ordinary way is taken, which decides by contents.

This module is imported on the way to every command and stays with ``os``, ``json`` and ``time``.
"""

from __future__ import annotations

import json
import os
import time

__all__ = ["BUILD", "DRY_RUN", "Request", "Result", "load", "request", "save", "stamp_file"]

_SCHEMA = "nixgen/stamp/2"
#: A file changed this shortly before the stamp could change again without its time showing it.
_RACY_NS = 200_000_000

BUILD, DRY_RUN = "build", "dry-run"

#: (BUILD or DRY_RUN, targets as typed, base, environment, overrides as ``NAME=PATH`` without links, sorted)
Request = tuple[str, tuple[str, ...], str, str | None, tuple[str, ...]]
#: (target, its status, its main output)
Result = tuple[str, str, str]


def stamp_file(root: str, verb: str) -> str:
    return os.path.join(root, ".nixgen", "cache", f"stamp-{verb}.json")  # noqa: PTH118


def request(
    verb: str,
    targets: tuple[str, ...],
    *,
    base: str,
    environment: str | None,
    overrides: dict[str, str],
) -> Request:
    """:param overrides: input → folder, without links."""
    words = tuple(sorted(f"{name}={path}" for name, path in overrides.items()))
    return verb, targets, base, environment, words


def _plain(asked: Request) -> list[object]:
    return [list(word) if isinstance(word, tuple) else word for word in asked]


def _signature(path: str) -> list[int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode]


def _tree(path: str) -> str:
    from nixgen.files.fingerprint import fingerprint

    return fingerprint(path)


def load(root: str, asked: Request) -> list[Result] | None:
    """What was said of everything that was asked for, when nothing changed since; else None."""
    try:
        with open(stamp_file(root, asked[0]), encoding="utf-8") as file:  # noqa: PTH123
            stamp = json.load(file)
        if stamp["schema"] != _SCHEMA or stamp["request"] != _plain(asked):
            return None
        for name, value in stamp["variables"].items():
            if os.environ.get(name) != value:
                return None
        for path, signature in stamp["paths"].items():
            if _signature(path) != signature:
                return None
        for link, target in stamp["links"].items():
            if os.readlink(link) != target:  # noqa: PTH115
                return None
        if not all(map(os.path.lexists, stamp["there"])) or any(
            map(os.path.lexists, stamp["absent"])
        ):
            return None
        for path, known in stamp["trees"].items():
            if _tree(path) != known:
                return None
        return [(attr, status, path) for attr, status, path in stamp["results"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def save(
    root: str,
    asked: Request,
    results: list[Result],
    *,
    since: int,
    paths: set[str],
    products: set[str],
    variables: set[str],
    links: dict[str, str],
    there: set[str],
    absent: set[str],
    trees: dict[str, str],
) -> None:
    """Remember what was said. A failure to write is no failure of the build.

    :param asked: see `request`.
    :param since: when the first of them was read, in nanoseconds; what was changed later may not be what was said something of.
    :param paths: files and folders that it depends on, there or not.
    :param products: the same, which this run may have written itself.
    :param links: of GC roots, and where they lead.
    :param there: paths that have to exist.
    :param absent: paths that must not.
    :param trees: folders that it depends on with all that is in them, and the fingerprint that they had.
    """
    now = time.time_ns()
    signatures = {path: _signature(path) for path in sorted(paths | products)}
    for path, found in signatures.items():
        last = (now if path in products else min(since, now)) - _RACY_NS
        if found is not None and found[0] > last:
            return
    file = stamp_file(root, asked[0])
    temporary = f"{file}.{os.getpid()}"
    try:
        document = {
            "schema": _SCHEMA,
            "request": _plain(asked),
            "variables": {name: os.environ.get(name) for name in sorted(variables)},
            "paths": signatures,
            "links": links,
            "there": sorted(there),
            "absent": sorted(absent),
            "trees": trees,
            "results": results,
        }
        os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120
        with open(temporary, "w", encoding="utf-8") as stream:  # noqa: PTH123
            json.dump(document, stream)
        os.replace(temporary, file)  # noqa: PTH105
    except OSError:
        return
