"""The contents of a project's sources at one moment."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator

import attrs

from nixgen.errors import InputError
from nixgen.models import Source
from nixgen.project.sources.gitignores import Gitignores
from nixgen.project.sources.walk import Listing, walk

__all__ = ["Sources", "readable"]


@attrs.define
class Sources:
    """One look at the disk. Each source is listed once.

    :param root: the folder of infra.py, without links.
    :ivar gitignores: the .gitignore files of the disk.
    """

    root: str
    gitignores: Gitignores = attrs.field(init=False)
    _listings: dict[tuple[object, ...], Listing] = attrs.field(factory=dict, init=False)

    @gitignores.default
    def _gitignores(self) -> Gitignores:
        return Gitignores(os.fsencode(self.root))

    def place(self, source: Source) -> str:
        """The absolute path of a source. ``a/..`` is removed, even if ``a`` is a link.

        :param source: the source.
        """
        return os.path.normpath(os.path.join(self.root, source.path))

    def listing(self, source: Source) -> Listing:
        """The entries of a source.

        :param source: the source.
        :raises InputError: something is missing or cannot be read.
        """
        key = (source.path, source.include, source.exclude, source.gitignore)
        found = self._listings.get(key)
        if found is None:
            with readable():
                found = walk(source, os.fsencode(self.place(source)), self.gitignores)
            self._listings[key] = found
        return found

    def digest(self, source: Source) -> bytes:
        """The SHA-256 of everything that Nix will see: names, kinds and contents.

        :param source: the source.
        :raises InputError: something is missing or cannot be read.
        """
        digest = hashlib.sha256()
        with readable():
            for entry in self.listing(source).entries:
                digest.update(f"{entry.kind} {len(entry.name)} ".encode())
                digest.update(entry.name + entry.digest())
        return digest.digest()

    def dependencies(self, source: Source) -> frozenset[str]:
        """The paths that a copy of the source depends on, whether they exist or not.

        If none of them changes, the same files are copied. The time of a folder shows additions.

        :param source: the source.
        :raises InputError: something is missing or cannot be read.
        """
        listing = self.listing(source)
        rules = map(os.fsdecode, self.gitignores.looked_at if source.gitignore else ())
        return listing.folders.union((entry.path for entry in listing.entries), rules)

    def relative_to_project(self, path: bytes) -> str:
        """The path from the project's folder, for people.

        :param path: an absolute path.
        """
        return os.path.relpath(os.fsdecode(path), self.root)


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Turn errors of reading inside the block into errors for the user.

    :raises InputError: something cannot be read.
    """
    try:
        yield
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else "a source"
        raise InputError(
            f"{name} cannot be read: {error.strerror}",
            hint="correct that, or leave it out of the source with exclude=[…]",
        ) from error
