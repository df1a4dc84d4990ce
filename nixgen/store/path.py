"""A store path as a value, with its digest and its name.

Format: ``/nix/store/<digest>-<name>``, where the digest is 32 characters of Nix's base 32 and the
name has at most 211 characters (Nix manual, "Store path"). `StorePath.parse` checks a text;
`base_name`, `path_digest` and `path_name` take the parts of one that is known to be a store path.
"""

from __future__ import annotations

import hashlib
import re
from typing import Self

from attrs import frozen

from nixgen.store.digest import Hash, to_base32

__all__ = [
    "BASE_NAME",
    "STORE",
    "StorePath",
    "base_name",
    "content_path",
    "path_digest",
    "path_name",
]

STORE = "/nix/store"
"""The folder of a store unless it was made for another one."""

BASE_NAME = re.compile(r"([0-9abcdfghijklmnpqrsvwxyz]{32})-([0-9A-Za-z+\-._?=]{1,211})")
"""A store path without its folder: the digest, a dash, the name."""


@frozen(order=True)
class StorePath:
    """A path directly in a Nix store.

    :param digest: the 32 base-32 characters before the first dash; a cache's files are named by it.
    :param name: the rest, after that dash, such as ``hello-2.12.1``.
    :param folder: the store's folder, ``/nix/store`` nearly everywhere.
    """

    digest: str
    name: str
    folder: str = STORE

    @classmethod
    def parse(cls, text: str, *, folder: str | None = None) -> Self:
        """Read a full path or a base name.

        :param text: ``/nix/store/<digest>-<name>``, or ``<digest>-<name>`` for one in `STORE`.
        :param folder: the store that a full path must be in. None: any.
        :raises ValueError: it is no store path, is in another store, or leads into a store path.
        """
        place, slash, base_name = text.rpartition("/")
        found = BASE_NAME.fullmatch(base_name)
        elsewhere = folder is not None and place != folder
        if found is None or elsewhere or (slash and not place.startswith("/")):
            raise ValueError(f"{text!r} is not a store path")
        digest, name = found.groups()
        return cls(digest, name, folder=place or STORE)

    @property
    def base_name(self) -> str:
        """The path without its folder, ``<digest>-<name>``. Narinfo files and references use it."""
        return f"{self.digest}-{self.name}"

    def __str__(self) -> str:
        """The full path."""
        return f"{self.folder}/{self.base_name}"


def base_name(path: str) -> str:
    """A store path without its folder, ``<digest>-<name>``.

    Nothing is checked, here and in the functions below: closures have thousands of paths, and Nix
    has checked what its database holds.

    :param path: a store path, or a base name already.
    """
    return path.rpartition("/")[2]


def path_digest(path: str) -> str:
    """The digest of a store path, unchecked.

    :param path: a store path, its base name, or its digest already.
    """
    return path.rpartition("/")[2][:32]


def path_name(path: str) -> str:
    """The name of a store path, such as ``hello-2.12.1``, unchecked.

    :param path: a store path, or its base name.
    """
    return path.rpartition("/")[2][33:]


def content_path(kind: str, content: Hash, name: str, *, folder: str = STORE) -> str:
    """The store path of a content address (Nix manual, "Complete Store Path Calculation").

    :param kind: the kind of content with its references, such as ``source`` or ``text:<path>``.
    :param content: the hash of the content.
    :param name: the name of the path.
    :param folder: the store.
    """
    fingerprint = f"{kind}:sha256:{content.hex}:{folder}:{name}"
    digest = bytearray(20)
    # Folded to 20 bytes by exclusive or, as Nix's compressHash does.
    for index, byte in enumerate(hashlib.sha256(fingerprint.encode()).digest()):
        digest[index % 20] ^= byte
    return f"{folder}/{to_base32(bytes(digest))}-{name}"
