"""Recognise a build or dry run whose result is known already, before anything is loaded.

After a complete build, a stamp records everything that the result depends on: size, time and inode
of each file, the environment variables that matter, the links of the GC roots. While all of them
are unchanged, the result is unchanged too. In any doubt, the ordinary build runs, which compares
contents.

Every command imports this module first, so it imports only ``os``, ``json`` and ``time``.
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
    """The file that holds the stamp.

    :param root: the folder of the project.
    :param verb: `BUILD` or `DRY_RUN`.
    """
    return os.path.join(root, ".nixgen", "cache", f"stamp-{verb}.json")


def request(
    verb: str,
    targets: tuple[str, ...],
    *,
    base: str,
    environment: str | None,
    overrides: dict[str, str],
) -> Request:
    """The request of a build or dry run. Equal runs have equal requests.

    :param verb: `BUILD` or `DRY_RUN`.
    :param targets: the targets as typed; empty for all.
    :param base: the base that provides packages, such as ``debian``.
    :param environment: the name of the environment, if any.
    :param overrides: input → the folder that replaces it, without links.
    """
    words = tuple(sorted(f"{name}={path}" for name, path in overrides.items()))
    return verb, targets, base, environment, words


def _plain(asked: Request) -> list[object]:
    return [list(word) if isinstance(word, tuple) else word for word in asked]


def _signature(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode]


def _tree(path: str) -> str:
    from nixgen.files.fingerprint import fingerprint

    return fingerprint(path)


def load(root: str, asked: Request) -> list[Result] | None:
    """The results of an earlier, equal run if nothing changed since then; else None.

    :param root: the folder of the project.
    :param asked: the request, see `request`.
    """
    try:
        with open(stamp_file(root, asked[0]), encoding="utf-8") as file:
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
            if os.readlink(link) != target:
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
    """Record everything this run depended on, so that an equal later run returns at once.

    A failure to write does not make the build fail.

    :param root: the folder of the project.
    :param asked: the request, see `request`.
    :param results: the results to return from an equal later run.
    :param since: the time before the first file was read, in nanoseconds since 1970. If a file
        changed later, the run may have read its old contents, so nothing is recorded.
    :param paths: files and folders that the result depends on, whether they exist or not.
    :param products: files that the result depends on and that this run may have written itself.
    :param variables: environment variables that the result depends on.
    :param links: link of a GC root → its target.
    :param there: paths that must exist.
    :param absent: paths that must not exist.
    :param trees: folder whose whole contents the result depends on → its fingerprint.
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
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as stream:
            json.dump(document, stream)
        os.replace(temporary, file)
    except OSError:
        return
