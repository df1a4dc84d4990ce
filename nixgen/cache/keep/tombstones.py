"""What collections have found dead, and since when: the memory between marking and sweeping.

Format of ``nixgen/tombstones/<number>.json``: nixgen/cache-tombstone/1, ``{created, objects: {since: [name]}}``. Only the newest document counts: each
run writes a complete one and then removes the older ones, so that an interruption in between does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.documents import (
    DOCUMENT_TYPE,
    decode,
    encode,
    instant_text,
    parse_instant,
    unreadable,
)

__all__ = ["TOMBSTONES", "read_tombstones", "write_tombstones"]

TOMBSTONES = "nixgen/tombstones/"
_SCHEMA = "nixgen/cache-tombstone/1"


def read_tombstones(bucket: Bucket) -> dict[str, datetime]:
    """Since when each object is known to be dead, by the server's clock.

    :raises VerifyError: the document is unreadable.
    """
    names = list(bucket.names(TOMBSTONES))
    data = bucket.read(names[-1]) if names else None
    if data is None:
        return {}
    document = decode(data, _SCHEMA, source=names[-1])
    try:
        return {
            name: parse_instant(since)
            for since, objects in document["objects"].items()
            for name in objects
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(names[-1], _SCHEMA) from error


def write_tombstones(bucket: Bucket, marks: Mapping[str, datetime], now: datetime) -> None:
    """Replace them all. Only whoever holds the lock may."""
    older = list(bucket.names(TOMBSTONES))
    if marks:
        objects: dict[str, list[str]] = {}
        for name, since in sorted(marks.items()):
            objects.setdefault(instant_text(since), []).append(name)
        bucket.put(
            f"{TOMBSTONES}{_number(older) + 1:010}.json",
            encode(_SCHEMA, {"created": instant_text(now), "objects": objects}),
            content_type=DOCUMENT_TYPE,
        )
    if older:
        bucket.delete(older)


def _number(names: Sequence[str]) -> int:
    """Of the last document: counted, since two may fall into one second."""
    return int(names[-1].removeprefix(TOMBSTONES).removesuffix(".json")) if names else 0
