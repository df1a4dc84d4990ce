"""A store path as a value: the digest that identifies it, and its name.

Format: ``/nix/store/<digest>-<name>``, where the digest is 32 characters of Nix's base 32 and the
name has at most 211 characters (Nix manual, "Store path").
"""

from __future__ import annotations

import re
from typing import Self

from attrs import frozen

__all__ = ["STORE", "StorePath"]

STORE = "/nix/store"
"""The folder of every store path that nixgen writes or reads."""

_BASE_NAME = re.compile(r"([0-9abcdfghijklmnpqrsvwxyz]{32})-([0-9a-zA-Z+\-._?=]{1,211})")


@frozen(order=True)
class StorePath:
    """One path of the Nix store.

    :param digest: the 32 base-32 characters before the first dash; a cache's files are named by it.
    :param name: what follows that dash, such as ``hello-2.12.1``.
    """

    digest: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a full path or a base name.

        :param text: ``/nix/store/<digest>-<name>`` or ``<digest>-<name>``.
        :raises ValueError: it is neither, or leads into a store path.
        """
        found = _BASE_NAME.fullmatch(text.removeprefix(f"{STORE}/"))
        if found is None:
            raise ValueError(f"{text!r} is no store path")
        return cls(*found.groups())

    @classmethod
    def containing(cls, path: str) -> Self:
        """The store path that a file lies in: ``/nix/store/<digest>-<name>/bin/x`` → the first part.

        :raises ValueError: the file lies in no store path.
        """
        return cls.parse(path.removeprefix(f"{STORE}/").partition("/")[0])

    @property
    def base_name(self) -> str:
        """``<digest>-<name>``: how narinfo files and references spell a path."""
        return f"{self.digest}-{self.name}"

    @property
    def narinfo(self) -> str:
        """``<digest>.narinfo``: the file of a binary cache that describes this path."""
        return f"{self.digest}.narinfo"

    def __str__(self) -> str:
        """The full path."""
        return f"{STORE}/{self.digest}-{self.name}"
