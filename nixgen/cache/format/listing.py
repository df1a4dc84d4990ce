"""The ``.ls`` file beside a narinfo. It lists the files of a NAR and their offsets, so that a
client can read single files from a cache.

Format: ``{"version": 1, "root": node}`` as Nix writes with ``write-nar-listing``
(src/libstore/nar-accessor.cc). A node is a regular file (``size``, ``narOffset`` of its contents,
``executable`` when it is), a symlink (``target``) or a directory (``entries``).
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from nixgen.cache.format.nar import string_size
from nixgen.errors import StoreError

__all__ = ["nar_listing"]


def nar_listing(path: str | Path) -> bytes:
    """The listing of the NAR of a path. Offsets follow from sizes, so no file is read.

    :param path: the path on disk.
    :raises StoreError: the path is missing or unreadable.
    """
    try:
        root, _ = _node(os.fsencode(path), string_size(b"nix-archive-1"))
    except OSError as error:
        raise StoreError(
            f"cannot read {os.fsdecode(error.filename or path)}: {error.strerror}",
            hint=f"check the path with: nix-store --verify-path {os.fsdecode(path)}",
        ) from error
    return json.dumps({"root": root, "version": 1}, separators=(",", ":"), sort_keys=True).encode()


_OPEN = string_size(b"(", b"type")
_CLOSE = string_size(b")")


def _node(path: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """The node of ``path``, and the offset behind it.

    :param offset: where the node's part of the archive begins.
    """
    status = os.lstat(path)
    offset += _OPEN
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path)  # noqa: PTH115 - bytes
        node: dict[str, Any] = {"type": "symlink", "target": os.fsdecode(target)}
        return node, offset + string_size(b"symlink", b"target", target) + _CLOSE
    if not stat.S_ISDIR(status.st_mode):
        node = {"type": "regular", "size": status.st_size}
        offset += string_size(b"regular", b"contents") + 8
        if status.st_mode & stat.S_IXUSR:
            node["executable"] = True
            offset += string_size(b"executable", b"")
        node["narOffset"] = offset
        return node, offset + status.st_size + -status.st_size % 8 + _CLOSE
    offset += string_size(b"directory")
    entries: dict[str, Any] = {}
    for name in sorted(os.listdir(path)):  # noqa: PTH208 - bytes
        offset += string_size(b"entry", b"(", b"name", name, b"node")
        entries[os.fsdecode(name)], offset = _node(path + b"/" + name, offset)
        offset += _CLOSE
    return {"type": "directory", "entries": entries}, offset + _CLOSE
