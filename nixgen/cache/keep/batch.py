"""``nixgen/sweep.json``: the objects that a collector is deleting now, and its lock against others.

Format: nixgen/cache-sweep/1, ``{owner, holder, started, number, seconds, paths, nars}``, where
``paths`` are digests of store paths and ``nars`` are NAR hashes in base 32. The document holds for
``seconds`` after it was written. Whether it still holds is judged without comparing the clocks of
two computers: by the server's clock, or by the time that a process has watched it unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.keep.documents import CacheFormat

__all__ = ["SWEEP", "SWEEP_FORMAT", "SweepBatch", "outlived"]

SWEEP = "nixgen/sweep.json"


def _sorted(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(values))


@frozen(kw_only=True)
class SweepBatch:
    """One batch of a collector.

    :param owner: different for every run of a collector.
    :param holder: computer and process, for people.
    :param started: when the run began, by the server's clock.
    :param number: counts the writings of a run, so that no two of them have the same tag.
    :param seconds: how long the batch holds after it was written.
    :param paths: digests of the store paths whose files may be deleted.
    :param nars: NAR hashes in base 32 of the archives that may be deleted.
    """

    owner: str
    holder: str
    started: datetime
    number: int = 0
    seconds: float
    paths: tuple[str, ...] = field(default=(), converter=_sorted)
    nars: tuple[str, ...] = field(default=(), converter=_sorted)

    def touches(self, held: Mapping[str, str]) -> bool:
        """Whether the batch may delete a file of one of these paths.

        :param held: NAR hashes in base 32, by the digest of the store path.
        """
        return not {*held, *held.values()}.isdisjoint((*self.paths, *self.nars))


SWEEP_FORMAT = CacheFormat(schema="nixgen/cache-sweep/1", shape=SweepBatch)


def outlived(bucket: Bucket, tag: str, seconds: float) -> bool:
    """Whether a sweep document has ended, by the server's clock alone.

    Waits one second more than ``seconds``, since the server tells whole ones.

    :param bucket: of the cache.
    :param tag: of the document, as it was read.
    :param seconds: how long the document says that it holds.
    """
    found = bucket.head(SWEEP)
    if found is None:
        return True
    return found.etag == tag and bucket.clock() > found.modified + timedelta(seconds=seconds + 1)
