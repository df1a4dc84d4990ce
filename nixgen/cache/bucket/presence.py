"""Finds out which objects a cache has, in the cheaper way: a HEAD request for each, or listings.

One page of a listing has a thousand names, wanted or not. Names begin with a hash, so they are
spread evenly, and the first page shows how many pages the rest would take.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice, pairwise, takewhile

from nixgen.cache.bucket.bucket import Bucket

__all__ = ["Presence"]

_ASK_AT_MOST = 12
"""Up to this number of names, no listing is tried."""

_PAGE_COST = 5
"""HEAD requests that one page of a listing is worth: S3 takes five times as long for it, and 12.5
times the price."""

_PAGE = 1000
_SHARDS = 8
_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_DIGITS = 6  # of a hash, for its place among all: 30 bits


class Presence:
    """The known and missing objects of a cache; every answer is remembered.

    Not for use from several threads at once.

    :param bucket: the cache; up to ``bucket.connections`` requests run at once.
    :param folder: of the objects, with a final slash; empty for the top of the cache.
    """

    def __init__(self, bucket: Bucket, folder: str = "") -> None:
        self._bucket = bucket
        self._folder = folder
        self._known: dict[str, bool] = {}

    def among(self, names: Iterable[str]) -> frozenset[str]:
        """Which of some objects the cache has.

        :param names: of the objects; each begins with a hash, behind the folder.
        :raises CacheError: the cache does not answer.
        """
        wanted = tuple(dict.fromkeys(names))
        unknown = sorted(name for name in wanted if name not in self._known)
        if len(unknown) > _ASK_AT_MOST:
            unknown = self._list(unknown)
        self._ask(unknown)
        return frozenset(name for name in wanted if self._known[name])

    def _ask(self, names: Collection[str]) -> None:
        if not names:
            return
        threads = min(len(names), self._bucket.connections)
        with ThreadPoolExecutor(threads, thread_name_prefix="cache-head") as pool:
            found = pool.map(lambda name: self._bucket.head(name) is not None, names)
            self._known.update(zip(names, found, strict=True))

    def _list(self, names: list[str]) -> list[str]:
        """List the first page, and the other pages when they cost less than HEAD requests.

        :param names: sorted.
        :returns: the names that are still unknown.
        """
        # Without its last letter: StartAfter leaves out the name that it gives.
        page = list(islice(self._names(names[0][:-1]), _PAGE))
        if len(page) < _PAGE:
            self._learn(names, page)
            return []
        last = page[-1]
        self._learn([name for name in names if name <= last], page)
        rest = [name for name in names if name > last]
        if not rest:
            return rest
        covered = max(self._place(last) - self._place(names[0]), 1e-9)
        pages = (self._place(rest[-1]) - self._place(last)) / covered
        if pages * _PAGE_COST >= len(rest):
            return rest
        bounds = self._bounds(last, rest[-1], min(_SHARDS, max(1, round(pages))))
        with ThreadPoolExecutor(len(bounds), thread_name_prefix="cache-list") as pool:
            parts = pool.map(self._between, *zip(*bounds, strict=True))
            listed = list(chain.from_iterable(parts))
        self._learn(rest, listed)
        return []

    def _learn(self, names: Iterable[str], listed: Collection[str]) -> None:
        there = frozenset(listed)
        self._known.update((name, name in there) for name in names)

    def _names(self, after: str) -> Iterator[str]:
        listed = self._bucket.objects(self._folder, after=after, flat=True)
        return (found.name for found in listed)

    def _bounds(self, after: str, last: str, parts: int) -> list[tuple[str, str]]:
        """Cut the names behind ``after``, up to ``last``, into stretches.

        :param parts: how many stretches at most.
        :returns: for each, the name that it begins behind, and its last possible name.
        """
        low, high = self._place(after), self._place(last)
        inner = [
            self._folder + _digits(low + (high - low) * part / parts) for part in range(1, parts)
        ]
        cuts = [after, *(cut for cut in inner if after < cut < last), last]
        return list(pairwise(cuts))

    def _place(self, name: str) -> float:
        return _place(name.removeprefix(self._folder))

    def _between(self, after: str, last: str) -> list[str]:
        return list(takewhile(lambda name: name <= last, self._names(after)))


def _place(name: str) -> float:
    """The position of a name among all hashes, from 0 to 1; also for names that are no hash."""
    value = 0
    for letter in name[:_DIGITS].ljust(_DIGITS, _ALPHABET[0]):
        value = value * 32 + max(0, bisect_right(_ALPHABET, letter) - 1)
    return value / float(32**_DIGITS)


def _digits(place: float) -> str:
    value = min(32**_DIGITS - 1, int(place * 32**_DIGITS))
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(5 * (_DIGITS - 1), -1, -5))
