"""Search for the values of a project's secrets in store paths, build logs and uploads.

``nixgen secret scan`` searches the closures of targets. A push searches what it is about to upload,
and refuses to upload the value of a secret.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from nixgen.cache.push.leaks import (
    Leak,
    Scanner,
    Values,
    leak_error,
    read_values,
    scan_logs,
    scan_paths,
)
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import LeakError
from nixgen.records.document import document
from nixgen.records.rules import ABSENT
from nixgen.records.structure import to_json

if TYPE_CHECKING:
    from nixgen.models import Project
    from nixgen.project.workspace import Workspace

__all__ = ["SecretScan", "refuse_leaks", "refuse_leaks_in", "scan"]

_LEAST_OF_TESTS = 16
"""Least characters of a test's value that is searched for. Shorter ones, such as ``password1``, are
in the documentation of many packages, and protect nothing.
"""


@frozen(kw_only=True)
class SecretScan:
    """The outcome of `scan`.

    :param searched: the names of the secrets that were searched for.
    :param too_short: the names of secrets whose values are too short to search for.
    :param absent: the names of secrets whose values cannot be read here.
    :param paths: the number of store paths that were read.
    :param nar_bytes: the size of these paths.
    :param leaks: where values were found.
    :param error: the error about the leaks; None without one.
    :param seconds: the time of the search.
    """

    searched: tuple[str, ...]
    too_short: tuple[str, ...]
    absent: tuple[str, ...]
    paths: int
    nar_bytes: int
    leaks: tuple[Leak, ...]
    error: LeakError | None = field(metadata=ABSENT)
    seconds: float

    def document(self) -> dict[str, Any]:
        """For ``--json``: schema nixgen/secret-scan/1."""
        return document(
            "nixgen/secret-scan/1", **{**to_json(self), "seconds": round(self.seconds, 3)}
        )


def scan(workspace: Workspace, roots: Sequence[str]) -> SecretScan:
    """Search closures and their build logs for the values of the project's secrets.

    :param workspace: the project.
    :param roots: the store paths whose closures are searched.
    :raises StoreError: a path is not in the store, or cannot be read.
    """
    started = time.monotonic()
    values, scanner = _scanner(workspace)
    store = Store.of_host()
    infos = store.closure(roots) if scanner else []
    leaks = scan_paths((info.path for info in infos), scanner, store)
    leaks += scan_logs(infos, scanner, store)
    return SecretScan(
        searched=scanner.names,
        too_short=scanner.too_short,
        absent=values.absent,
        paths=len(infos),
        nar_bytes=sum(info.nar_size for info in infos),
        leaks=tuple(leaks),
        error=_error(workspace, leaks, roots, store) if leaks else None,
        seconds=time.monotonic() - started,
    )


def refuse_leaks(
    workspace: Workspace,
    roots: Iterable[str],
    missing: Sequence[PathInfo],
    *,
    logs: bool,
) -> None:
    """Search the paths that a push is about to upload. Without readable secrets, nothing is read.

    :param workspace: the project.
    :param roots: the store paths whose closures are pushed.
    :param missing: the paths that the push would upload.
    :param logs: whether it also uploads build logs.
    :raises LeakError: a path or log contains the value of a secret.
    """
    _, scanner = _scanner(workspace)
    if not scanner:
        return
    store = Store.of_host()
    leaks = scan_paths((info.path for info in missing), scanner, store)
    if logs:
        leaks += scan_logs(missing, scanner, store)
    if leaks:
        raise _error(workspace, leaks, roots, store)


def refuse_leaks_in(workspace: Workspace, what: str, data: bytes) -> None:
    """Search bytes that are about to be uploaded.

    :param workspace: the project.
    :param what: what they are; completes the sentence "the value of a secret is in …".
    :param data: the bytes.
    :raises LeakError: they contain the value of a secret.
    """
    _, scanner = _scanner(workspace)
    names = sorted(scanner.scan((data,))) if scanner else []
    if names:
        raise LeakError(
            f"the value of a secret is in {what}: {', '.join(names)}",
            hint="pass the secret to its service with secrets=[…], leave its file out of the sources, and change its value",
        )


def _scanner(workspace: Workspace) -> tuple[Values, Scanner]:
    values = read_values(workspace.secrets(), os.environ)
    return values, Scanner.of((*values.found, *_values_of_tests(workspace.project)))


def _values_of_tests(project: Project) -> Iterator[tuple[str, bytes]]:
    """Yield the values that tests give to secrets, unless they are words that any file may have."""
    for test in project.tests:
        for secret, value in test.secrets.items():
            if isinstance(value, str) and len(value) >= _LEAST_OF_TESTS:
                yield f"{secret.name} of tests.{test.name}", value.encode()


def _error(
    workspace: Workspace, leaks: Iterable[Leak], roots: Iterable[str], store: Store
) -> LeakError:
    names = _root_names(workspace.state)
    brought: dict[str, list[str]] = {}
    for root in roots:
        for info in store.closure([root]):
            for path in filter(None, (info.path, info.deriver)):
                brought.setdefault(path, []).append(names.get(root, root))
    return leak_error(leaks, brought)


def _root_names(state: Path) -> dict[str, str]:
    """Store path → the target whose output it is."""
    links = [*state.glob("gcroots/*"), *state.glob("warm/*/*")]
    return {str(link.readlink()): link.name for link in links if link.is_symlink()}
