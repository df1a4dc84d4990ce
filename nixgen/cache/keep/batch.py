"""``nixgen/sweep.json``: what a collector is deleting right now, and its lock against a second collector.

Format: nixgen/cache-sweep/1, ``{owner, holder, started, number, seconds, paths, nars}``. ``paths`` are hash parts, ``nars`` NAR hashes in base 32. The
document holds for ``seconds`` from when it was written. Whether it still does is judged without comparing the clocks of two computers: by the
server's clock, or by the time that somebody has watched it unchanged.
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
    :param seconds: how long the batch holds from when it was written.
    :param paths: hash parts of the paths whose files may go.
    :param nars: NAR hashes in base 32 of the archives that may go.
    """

    owner: str
    holder: str
    started: datetime
    number: int = 0
    seconds: float
    paths: tuple[str, ...] = field(default=(), converter=_sorted)
    nars: tuple[str, ...] = field(default=(), converter=_sorted)

    def touches(self, held: Mapping[str, str]) -> bool:
        """Whether it may remove something of these paths (hash part → NAR hash in base 32)."""
        return not {*held, *held.values()}.isdisjoint((*self.paths, *self.nars))


SWEEP_FORMAT = CacheFormat(schema="nixgen/cache-sweep/1", shape=SweepBatch)


def outlived(bucket: Bucket, tag: str, seconds: float) -> bool:
    """Whether the sweep document with this ``tag`` holds no longer, by the server's clock alone.

    One second more than ``seconds``, since the server tells whole ones.
    """
    found = bucket.head(SWEEP)
    if found is None:
        return True
    return found.etag == tag and bucket.clock() > found.modified + timedelta(seconds=seconds + 1)
