"""Write the generated tree: atomically, only what changed, and never over a file of the user.

``generated/.nixgen.json`` lists what nixgen wrote (path → SHA-256), and is committed with the rest.
A file that is not listed belongs to the user.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from nixgen.errors import UsageError
from nixgen.files.write import disk_errors, write_atomically
from nixgen.records.document import document, to_text
from nixgen.render.tree import FileTree

__all__ = ["MANIFEST", "Changes", "apply", "difference", "plan"]

MANIFEST = ".nixgen.json"
_SCHEMA = "nixgen/generated/1"


@attrs.frozen(kw_only=True)
class Changes:
    """The differences between a folder and a tree. Paths are relative to the folder.

    :param folder: the folder.
    :param written: files to write, new or changed.
    :param removed: files that nixgen wrote and that are no longer part of the tree.
    :param foreign: files in the way that nixgen did not write.
    :param kept: files that are no longer part of the tree, but were edited since nixgen wrote them.
        They are left alone.
    :param manifest: the new ``.nixgen.json``.
    """

    folder: Path
    written: Mapping[str, bytes]
    removed: tuple[str, ...]
    foreign: tuple[str, ...]
    kept: tuple[str, ...]
    manifest: bytes

    @property
    def stale(self) -> bool:
        """True if a file has to be written or removed."""
        return bool(self.written or self.removed)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return b""


def _owned(folder: Path) -> Mapping[str, str]:
    """The files that the manifest lists; none if it cannot be read, so that no file is lost."""
    try:
        manifest = json.loads(_read(folder / MANIFEST) or b"{}")
        files = dict(manifest["files"]) if manifest.get("schema") == _SCHEMA else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
    return {
        path: digest
        for path, digest in files.items()
        if isinstance(path, str) and isinstance(digest, str) and _is_inside(path)
    }


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def plan(tree: FileTree, folder: Path) -> Changes:
    """Compare a folder with a tree. Nothing is written.

    :param tree: the files that the folder should have.
    :param folder: the folder.
    """
    owned = _owned(folder)
    digests = {path: _digest(data) for path, data in tree.items()}
    written: dict[str, bytes] = {}
    foreign: list[str] = []
    for path, data in tree.items():
        present = _read(folder / path)
        if present == data:
            continue
        if present is not None and path not in owned:
            foreign.append(path)
        written[path] = data
    removed: list[str] = []
    kept: list[str] = []
    for path in sorted(set(owned) - set(tree)):
        present = _read(folder / path)
        if present is not None:
            (removed if _digest(present) == owned[path] else kept).append(path)
    manifest = to_text(document(_SCHEMA, files=digests)).encode()
    return Changes(
        folder=folder,
        written=written,
        removed=tuple(removed),
        foreign=tuple(foreign),
        kept=tuple(kept),
        manifest=manifest,
    )


def apply(changes: Changes) -> None:
    """Make the folder equal to the tree.

    The manifest is written first, with old and new files, so that a run that was killed half-way
    still owns what it wrote.

    :param changes: the differences.
    :raises UsageError: a file of the user is in the way. Nothing is written then.
    :raises StoreError: the disk is full or read-only.
    """
    if changes.foreign:
        raise UsageError(
            f"{changes.folder.name}/{changes.foreign[0]} was not written by nixgen, and would be overwritten",
            hint="move it away, or delete it if it is not needed, and run the command again",
            details=[f"{changes.folder.name}/{path}" for path in changes.foreign[1:]],
        )
    with disk_errors(changes.folder):
        manifest = changes.folder / MANIFEST
        if changes.stale:
            write_atomically(manifest, _union(changes))
            for path, data in changes.written.items():
                write_atomically(changes.folder / path, data)
            for path in changes.removed:
                (changes.folder / path).unlink(missing_ok=True)
                _remove_empty(changes.folder, (changes.folder / path).parent)
        if _read(manifest) != changes.manifest:
            write_atomically(manifest, changes.manifest)


def _union(changes: Changes) -> bytes:
    files = {**_owned(changes.folder), **json.loads(changes.manifest)["files"]}
    return to_text(document(_SCHEMA, files=files)).encode()


def _remove_empty(top: Path, folder: Path) -> None:
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def difference(changes: Changes) -> Iterator[str]:
    """The lines of a unified diff from the folder to the tree.

    :param changes: the differences.
    """
    name = changes.folder.name
    for path, data in (*changes.written.items(), *((gone, None) for gone in changes.removed)):
        present = _read(changes.folder / path)
        before = "/dev/null" if present is None else f"a/{name}/{path}"
        after = "/dev/null" if data is None else f"b/{name}/{path}"
        yield from difflib.unified_diff(_lines(present), _lines(data), before, after)


def _lines(data: bytes | None) -> list[str]:
    return (data or b"").decode(errors="replace").splitlines(keepends=True)
