"""A build that has nothing to do, recognised before anything is loaded.

After a complete build, everything that its result depends on is written down: size, time and inode of each file, the
environment variables that count, the links of the GC roots. As long as all of it is as it was, the result is, too.
Any doubt means no: the ordinary way is taken, which decides by contents.

This module is imported on the way to every command and stays with ``os``, ``json`` and ``time``.
"""

from __future__ import annotations

import json
import os
import time

__all__ = ["Request", "load", "save", "stamp_file"]

_SCHEMA = "nixgen/stamp/1"
#: A file changed this shortly before the stamp could change again without its time showing it.
_RACY_NS = 200_000_000

#: (targets as typed, base, environment)
Request = tuple[tuple[str, ...], str, str | None]


def stamp_file(root: str) -> str:
    return os.path.join(root, ".nixgen", "cache", "stamp.json")  # noqa: PTH118


def _signature(path: str) -> list[int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode]


def load(root: str, request: Request) -> list[tuple[str, str]] | None:
    """(target, store path) of everything that was asked for, when nothing changed since; else None."""
    try:
        with open(stamp_file(root), encoding="utf-8") as file:  # noqa: PTH123
            stamp = json.load(file)
        if stamp["schema"] != _SCHEMA or stamp["request"] != [list(request[0]), *request[1:]]:
            return None
        for name, value in stamp["variables"].items():
            if os.environ.get(name) != value:
                return None
        for path, signature in stamp["paths"].items():
            if _signature(path) != signature:
                return None
        for link, target in stamp["roots"].items():
            if os.readlink(link) != target or not os.path.lexists(target):  # noqa: PTH115
                return None
        return [(attr, path) for attr, path in stamp["outputs"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def save(
    root: str,
    request: Request,
    *,
    paths: set[str],
    variables: set[str],
    roots: dict[str, str],
    outputs: list[tuple[str, str]],
) -> None:
    """Remember a complete build. A failure to write is no failure of the build."""
    now = time.time_ns()
    signatures = {path: _signature(path) for path in sorted(paths)}
    if any(found is not None and found[0] > now - _RACY_NS for found in signatures.values()):
        return
    document = {
        "schema": _SCHEMA,
        "request": [list(request[0]), *request[1:]],
        "variables": {name: os.environ.get(name) for name in sorted(variables)},
        "paths": signatures,
        "roots": roots,
        "outputs": outputs,
    }
    file = stamp_file(root)
    temporary = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120
        with open(temporary, "w", encoding="utf-8") as stream:  # noqa: PTH123
            json.dump(document, stream)
        os.replace(temporary, file)  # noqa: PTH105
    except OSError:
        return
