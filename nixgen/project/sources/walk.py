"""Walk through one source, and list what is copied."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Literal

import attrs

from nixgen.gitignore import Scope, decision, is_ignored
from nixgen.models import Source
from nixgen.project.sources.gitignores import Gitignores, below, relative

__all__ = ["Entry", "Listing", "walk"]

#: Left out of every source; nix/lib/source.nix has the same list.
_NEVER_COPIED = frozenset({b".git", b".hg", b".nixgen", b".svn"})
#: What nixgen makes beside infra.py.
_MADE = (b"generated", b"result")

Kind = Literal["file", "executable", "folder", "link"]


@attrs.frozen
class Entry:
    """A file, folder or link that is copied.

    :param path: its absolute path.
    :param name: its path from the source; empty for the source itself.
    :param kind: what it is.
    """

    path: str
    name: bytes
    kind: Kind

    def digest(self) -> bytes:
        """The SHA-256 of the bytes of a file or of the target of a link; of nothing for a folder.

        :raises OSError: it cannot be read.
        """
        if self.kind == "folder":
            return hashlib.sha256().digest()
        if self.kind == "link":
            return hashlib.sha256(os.fsencode(os.readlink(self.path))).digest()
        with open(self.path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()


@attrs.frozen(kw_only=True)
class Listing:
    """The contents of one source.

    :param repository: the folder from which .gitignore files count.
    :param place: the path of the source from there.
    :param entries: what is copied: the source itself, then sorted by name, each folder before its
        contents.
    :param folders: the folders that were read, also those of which nothing is copied.
    :param scopes: the .gitignore files that count and have rules, outermost first, with their
        folders in the repository.
    """

    repository: bytes
    place: bytes
    entries: tuple[Entry, ...]
    folders: frozenset[str]
    scopes: tuple[Scope, ...]


def walk(source: Source, place: bytes, gitignores: Gitignores) -> Listing:
    """List what is copied from a source.

    :param source: the source.
    :param place: its absolute path.
    :param gitignores: the .gitignore files of the disk.
    :raises OSError: something is missing or cannot be read.
    """
    repository = gitignores.repository(place)
    here = relative(repository, place)
    step = _Walk(
        gitignores=gitignores,
        top=place,
        repository=repository,
        here=here,
        made=frozenset(below(gitignores.root, name) for name in _MADE),
        ignores=source.gitignore,
        inclusions=None if source.include is None else Scope(here, source.include_rules),
        exclusions=Scope(here, source.exclude_rules),
    )
    entries = tuple(step.entries())
    return Listing(
        repository=repository,
        place=here,
        entries=entries,
        folders=frozenset(map(os.fsdecode, step.folders)),
        scopes=tuple(step.scopes),
    )


@attrs.define(kw_only=True)
class _Walk:
    """The walk through one source.

    :param top: the absolute path of the source.
    :param here: the path of the source from its repository.
    :param made: absolute paths that nixgen makes, and that are no part of the project.
    :param ignores: whether .gitignore files count.
    :param inclusions: the patterns of which one must match; None to take everything.
    :param exclusions: the patterns of what is left out.
    """

    gitignores: Gitignores
    top: bytes
    repository: bytes
    here: bytes
    made: frozenset[bytes]
    ignores: bool
    inclusions: Scope | None
    exclusions: Scope
    folders: set[bytes] = attrs.field(factory=set, init=False)
    scopes: list[Scope] = attrs.field(factory=list, init=False)

    def entries(self) -> Iterator[Entry]:
        above = tuple(self._above()) if self.ignores else ()
        kind = _kind(os.lstat(self.top))
        if kind is not None:
            yield Entry(os.fsdecode(self.top), b"", kind)
        if kind == "folder":
            yield from self._folder(b"", above, chosen=-1)

    def _above(self) -> Iterator[Scope]:
        """The .gitignore files from the repository to the folder that the source is in."""
        parts = self.here.split(b"/") if self.here else []
        for depth in range(len(parts)):
            yield from self._scope(b"/".join(parts[:depth]))

    def _scope(self, folder: bytes) -> tuple[Scope, ...]:
        """The rules of one folder of the repository, if it has any."""
        scope = self.gitignores.scope(self.repository, folder)
        if not scope.rules:
            return ()
        self.scopes.append(scope)
        return (scope,)

    def _folder(self, name: bytes, scopes: tuple[Scope, ...], *, chosen: int) -> list[Entry]:
        """The entries of one folder.

        :param name: its path from the source.
        :param scopes: the rules of the folders around it.
        :param chosen: the position of the last inclusion that matches it; -1 if none does.
        """
        here, path = below(self.here, name), below(self.top, name)
        self.folders.add(path)
        if self.ignores:
            scopes += self._scope(here)
        deciding = (*scopes, self.exclusions)
        found: list[Entry] = []
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name in _NEVER_COPIED or entry.path in self.made:
                    continue
                place, own = below(here, entry.name), below(name, entry.name)
                folder = entry.is_dir(follow_symlinks=False)
                if is_ignored(deciding, place, folder=folder):
                    continue
                last = self._inclusion(place, folder=folder, above=chosen)
                if folder:
                    inside = self._folder(own, scopes, chosen=last)
                    if inside:
                        found.append(Entry(os.fsdecode(entry.path), own, "folder"))
                        found += inside
                elif self._wanted(last) and (kind := _kind(entry.stat(follow_symlinks=False))):
                    found.append(Entry(os.fsdecode(entry.path), own, kind))
        return found

    def _inclusion(self, place: bytes, *, folder: bool, above: int) -> int:
        """The position of the last inclusion that matches a path or a folder around it."""
        if self.inclusions is None:
            return above
        found = decision((self.inclusions,), place, folder=folder)
        return max(above, self.inclusions.rules.index(found[1])) if found else above

    def _wanted(self, inclusion: int) -> bool:
        if self.inclusions is None:
            return True
        return inclusion >= 0 and not self.inclusions.rules[inclusion].negated


def _kind(found: os.stat_result) -> Kind | None:
    """The kind of an entry; None if a store path cannot contain it."""
    if stat.S_ISREG(found.st_mode):
        return "executable" if found.st_mode & stat.S_IXUSR else "file"
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(found.st_mode) else None
