"""Tombstones: which objects collections have found dead, and since when.

Format of ``nixgen/tombstones/<number>.json``: nixgen/cache-tombstone/1, ``{created, objects:
{since: [name]}}``. Only the newest document counts: each run writes a complete one and then removes
the older ones, so that an interruption in between does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.keep.documents import CacheFormat
from nixgen.records.rules import Rule
from nixgen.records.times import parse_time, time_text

__all__ = ["TOMBSTONES", "read_tombstones", "write_tombstones"]

TOMBSTONES = "nixgen/tombstones/"


def _are_times(texts: Mapping[str, object]) -> bool:
    try:
        return all(map(parse_time, texts))
    except ValueError:
        return False


@frozen(kw_only=True)
class _Tombstones:
    created: datetime
    objects: Annotated[Mapping[str, tuple[str, ...]], Rule(_are_times, "names by time")]


_FORMAT = CacheFormat(schema="nixgen/cache-tombstone/1", shape=_Tombstones)


def read_tombstones(bucket: Bucket) -> dict[str, datetime]:
    """For each object that is marked dead, the time by the server's clock when it was found so.

    :param bucket: of the cache.
    :raises VerifyError: the document is unreadable.
    """
    names = list(bucket.names(TOMBSTONES))
    data = bucket.read(names[-1]) if names else None
    if data is None:
        return {}
    objects = _FORMAT.parse(data, source=names[-1]).objects
    return {name: parse_time(since) for since, found in objects.items() for name in found}


def write_tombstones(bucket: Bucket, marks: Mapping[str, datetime], now: datetime) -> None:
    """Replace all tombstones. Only the holder of the sweep lock may call it.

    :param bucket: of the cache.
    :param marks: since when each object is known to be dead.
    :param now: by the server's clock.
    """
    older = list(bucket.names(TOMBSTONES))
    if marks:
        objects: dict[str, list[str]] = {}
        for name, since in sorted(marks.items()):
            objects.setdefault(time_text(since), []).append(name)
        document = _Tombstones(
            created=now, objects={since: tuple(found) for since, found in objects.items()}
        )
        name = f"{TOMBSTONES}{_number(older) + 1:010}.json"
        bucket.put(name, _FORMAT.encode(document))
    if older:
        bucket.delete(older)


def _number(names: Sequence[str]) -> int:
    """The number of the last document. Not its time: two may fall into one second."""
    return int(names[-1].removeprefix(TOMBSTONES).removesuffix(".json")) if names else 0
