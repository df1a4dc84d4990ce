"""The fingerprint of a folder: it changes with the folder, and no file has to be read.

A build with nothing to do imports this module, so it imports only ``os`` and ``hashlib``.
"""

from __future__ import annotations

import hashlib
import os

__all__ = ["fingerprint"]

#: Folders of version control, which no evaluation reads.
_IGNORED = frozenset({".git", ".hg", ".svn"})


def fingerprint(tree: str) -> str:
    """The fingerprint of a folder.

    A store path never changes, so it is its own fingerprint. Of any other folder, the names, kinds,
    sizes and times of everything in it count.

    :param tree: the path of the folder.
    :raises OSError: something in it cannot be read.
    """
    store = os.environ.get("NIX_STORE_DIR", "/nix/store")
    if tree.startswith(store + "/"):
        return tree
    folders = []
    pending = [tree]
    while pending:
        folder = pending.pop()
        # Records are joined and hashed once: with the 50,000 files of nixpkgs, each call costs time.
        records = []
        with os.scandir(folder) as scan:
            for entry in scan:
                if entry.name in _IGNORED:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    records.append(entry.name + "/")
                else:
                    status = entry.stat(follow_symlinks=False)
                    records.append(
                        f"{entry.name}\0{status.st_mode} {status.st_size} {status.st_mtime_ns}"
                    )
        folders.append("\0\0".join([folder[len(tree) :], *sorted(records)]))
    content = "\0\0\0".join(sorted(folders)).encode("utf-8", "surrogateescape")
    return f"{tree} {hashlib.sha256(content).hexdigest()}"
