"""``nixgen/sweep.json``: what a collector is deleting right now, and its lock against a second collector.

Format: nixgen/cache-sweep/1, ``{owner, holder, started, number, seconds, paths, nars}``. ``paths`` are hash parts, ``nars`` NAR hashes in base 32. The
document holds for ``seconds`` from when it was written. Whether it still does is judged without comparing the clocks of two computers: by the
server's clock, or by the time that somebody has watched it unchanged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.documents import decode, encode, instant_text, parse_instant, unreadable

__all__ = ["SWEEP", "SweepBatch", "outlived"]

SWEEP = "nixgen/sweep.json"
_SCHEMA = "nixgen/cache-sweep/1"


def _names(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values)


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
    paths: frozenset[str] = field(default=frozenset(), converter=_names)
    nars: frozenset[str] = field(default=frozenset(), converter=_names)

    def touches(self, held: Mapping[str, str]) -> bool:
        """Whether it may remove something of these paths (hash part → NAR hash in base 32)."""
        return not self.paths.isdisjoint(held) or _meets(self.nars, held.values())

    def encode(self) -> bytes:
        return encode(
            _SCHEMA,
            {
                "owner": self.owner,
                "holder": self.holder,
                "started": instant_text(self.started),
                "number": self.number,
                "seconds": self.seconds,
                "paths": sorted(self.paths),
                "nars": sorted(self.nars),
            },
        )

    @classmethod
    def parse(cls, data: bytes) -> SweepBatch:
        """:raises VerifyError: it is not such a document."""
        document = decode(data, _SCHEMA, source=SWEEP)
        try:
            return cls(
                owner=document["owner"],
                holder=document["holder"],
                started=parse_instant(document["started"]),
                number=int(document["number"]),
                seconds=float(document["seconds"]),
                paths=document["paths"],
                nars=document["nars"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(SWEEP, _SCHEMA) from error


def _meets(some: frozenset[str], others: Collection[str]) -> bool:
    return not some.isdisjoint(others)


def outlived(bucket: Bucket, tag: str, seconds: float) -> bool:
    """Whether the sweep document with this ``tag`` holds no longer, by the server's clock alone.

    One second more than ``seconds``, since the server tells whole ones.
    """
    found = bucket.head(SWEEP)
    if found is None:
        return True
    return found.etag == tag and bucket.clock() > found.modified + timedelta(seconds=seconds + 1)
