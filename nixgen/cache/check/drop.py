"""Taking paths out of a cache before a collector would: those that clients cannot get, with all that refer to them.

Referrers go first, so that no client meets a narinfo whose reference is gone. Pushers that rely on one of the paths are kept out as by a
collector (`nixgen.cache.keep.leases`): the paths are named in ``nixgen/sweep.json``, then leases are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.format.names import listing_name, narinfo_name, object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.keep.leases import LEASES, LeaseRecord, boot_clock
from nixgen.cache.keep.lock import sweep_lock
from nixgen.errors import CacheError

__all__ = ["drop", "referrers_first"]

_SECONDS = 120.0


def referrers_first(
    narinfos: Mapping[str, NarInfo], names: Collection[str]
) -> tuple[tuple[str, ...], ...]:
    """``names`` and the narinfos of all that reach them, in layers: nothing refers to the first, and only earlier layers to each later one.

    :param names: of narinfos; also of those that cannot be read, or are missing.
    """
    referrers: dict[str, set[str]] = defaultdict(set)
    for name, info in narinfos.items():
        for reference in info.references:
            if narinfo_name(reference) != name:
                referrers[narinfo_name(reference)].add(name)
    doomed: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in doomed:
            doomed.add(name)
            pending += referrers[name]
    waits = {name: set(referrers[name]) for name in doomed}
    layers: list[tuple[str, ...]] = []
    while waits:
        # A circle of references, which no store can hold, would leave nothing free; a damaged cache may have one.
        layer = sorted(name for name, before in waits.items() if not before) or sorted(waits)
        layers.append(tuple(layer))
        for name in layer:
            del waits[name]
        for before in waits.values():
            before.difference_update(layer)
    return tuple(layers)


def drop(bucket: Bucket, layers: Sequence[Sequence[str]]) -> None:
    """Remove narinfos and their listings, layer by layer. Archives are left to the collector.

    :raises CacheError: a push relies on one of the paths, or a collector is at work; nothing, or only whole layers, were removed.
    """
    hashes = frozenset(object_digest(name) for layer in layers for name in layer)
    with sweep_lock(bucket, seconds=_SECONDS, clock=boot_clock) as lock:
        for layer in layers:
            # Before each: a lock that had lapsed in between may have let a push begin.
            lock.declare(paths=hashes)
            _require_unleased(bucket, hashes)
            lock.delete(
                each for name in layer for each in (name, listing_name(object_digest(name)))
            )


def _require_unleased(bucket: Bucket, hashes: Collection[str]) -> None:
    for found in list(bucket.objects(LEASES)):
        data = bucket.read(found.name)
        if data is None:
            continue
        lease = LeaseRecord.parse(data, found)
        if lease.expires > bucket.clock() and not lease.paths.keys().isdisjoint(hashes):
            raise CacheError(
                f"a push by {lease.holder} relies on paths that are to be dropped",
                hint="run it again when the push is done",
            )
