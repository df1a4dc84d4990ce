"""The references between the narinfos of a cache, and the archives that they name."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from nixgen.cache.bucket.inventory import Inventory, UnreadableNarinfo
from nixgen.cache.format.names import object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.store.path import path_digest
from nixgen.store.reach import reach

__all__ = ["NarinfoGraph"]


class NarinfoGraph:
    """The references between narinfos, by the digests of their paths.

    A narinfo that cannot be read, or that describes another path than its name says, counts as far
    as it is legible.

    :param inventory: the contents of the cache.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.infos: dict[str, NarInfo] = {}
        self.corrupt: dict[str, UnreadableNarinfo] = {}
        self._references: dict[str, frozenset[str]] = {}
        self._referrers: dict[str, set[str]] = {}
        self._users: dict[str, set[str]] = {}
        for name, info in inventory.narinfos.items():
            if info.key == name:
                self.add(info)
            else:
                self._add_corrupt(
                    name,
                    UnreadableNarinfo(
                        reason=f"it is about {info.store_path}",
                        url=info.url,
                        references=frozenset(map(path_digest, info.references)),
                    ),
                )
        for name, broken in inventory.unreadable.items():
            self._add_corrupt(name, broken)

    def __contains__(self, digest: str) -> bool:
        return digest in self.infos or digest in self.corrupt

    def add(self, info: NarInfo) -> None:
        """Take in a narinfo that is in the cache.

        :param info: the narinfo, under the name of its path.
        """
        digest = path_digest(info.store_path)
        self.infos[digest] = info
        self._link(digest, info.references, info.url)

    def remove(self, digest: str) -> None:
        """Take out a narinfo that was removed from the cache.

        :param digest: of its path.
        """
        info = self.infos.pop(digest)
        for reference in self._references.pop(digest):
            self._referrers[reference].discard(digest)
        self._users[info.url].discard(digest)

    def references(self, digest: str) -> AbstractSet[str]:
        """The paths that a path refers to, without itself.

        :param digest: of the path.
        """
        return self._references.get(digest, frozenset())

    def referrers(self, digest: str) -> AbstractSet[str]:
        """The paths that refer to a path, without itself.

        :param digest: of the path.
        """
        return self._referrers.get(digest, frozenset())

    def users(self, archive: str) -> AbstractSet[str]:
        """The paths whose narinfos name an archive.

        :param archive: the name of the archive in the cache.
        """
        return self._users.get(archive, frozenset())

    def reachable(self, starts: Iterable[str]) -> frozenset[str]:
        """The closure of ``starts``, as far as its narinfos are in the cache and can be read.

        :param starts: digests.
        """
        held = [digest for digest in starts if digest in self.infos]
        return frozenset(reach(held, lambda digest: self.references(digest) & self.infos.keys()))

    def reaching(self, ends: Iterable[str]) -> frozenset[str]:
        """``ends``, and every path whose closure holds one of them.

        :param ends: digests, also of paths that are not in the cache.
        """
        return frozenset(reach(ends, self.referrers))

    def layers(self, digests: AbstractSet[str]) -> list[list[str]]:
        """Sort paths into layers, referrers first: only earlier layers refer to a layer.

        Paths that refer to each other in a circle are left out, with all that they reach. Nix never
        makes such paths; a damaged cache may have some.

        :param digests: the paths to sort; references from other paths do not count.
        """
        waiting = {digest: len(self.referrers(digest) & digests) for digest in digests}
        layers: list[list[str]] = []
        layer = [digest for digest, count in waiting.items() if not count]
        while layer:
            layers.append(sorted(layer))
            following: list[str] = []
            for digest in layer:
                for reference in self.references(digest) & digests:
                    waiting[reference] -= 1
                    if not waiting[reference]:
                        following.append(reference)
            layer = following
        return layers

    def _add_corrupt(self, name: str, broken: UnreadableNarinfo) -> None:
        digest = object_digest(name)
        self.corrupt[digest] = broken
        self._link(digest, broken.references, broken.url)

    def _link(self, digest: str, references: Iterable[str], url: str | None) -> None:
        # Interned: a cache has millions of references to thousands of paths.
        found = {sys.intern(path_digest(reference)) for reference in references}
        self._references[digest] = frozenset(found - {digest})
        for reference in self._references[digest]:
            self._referrers.setdefault(reference, set()).add(digest)
        if url is not None:
            self._users.setdefault(url, set()).add(digest)
