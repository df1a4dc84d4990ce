"""The one remover of objects: before each batch it looks again for pushes that need it.

The protocol and its reasons are in `nixgen.cache.collect.collect`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.bucket.inventory import read_narinfo
from nixgen.cache.collect.graph import NarinfoGraph
from nixgen.cache.collect.plan import Doomed, batches, with_referrers
from nixgen.cache.collect.snapshot import Snapshot, read_snapshot
from nixgen.cache.format.names import narinfo_name, object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.keep.leases import LEASES, LeaseRecord, boot_clock
from nixgen.cache.keep.lock import SweepLock, sweep_lock
from nixgen.cache.keep.roots import PIN_FORMAT, PINS, ROOT_FORMAT, ROOTS
from nixgen.errors import CacheError
from nixgen.programs.observer import ignore
from nixgen.store.path import path_digest

__all__ = ["Sweep", "remove_paths"]


class Sweep:
    """The removal of objects from a cache, under the lock of collectors.

    :param bucket: of the cache.
    :param lock: held until the end of the sweep.
    :param snapshot: the contents that the plan was made from, read under the lock.
    :param tell: called with the number of removed objects, after each batch.
    """

    def __init__(
        self,
        bucket: Bucket,
        lock: SweepLock,
        snapshot: Snapshot,
        tell: Callable[[int], None] = ignore,
    ) -> None:
        self._bucket = bucket
        self._lock = lock
        self._start = snapshot.now
        self._tell = tell
        self._graph = NarinfoGraph(snapshot.inventory)
        # Digests of paths and NAR hashes, and who has come to need them; never fewer during a sweep.
        self._needs: dict[str, str] = {}
        self._seen: set[tuple[str, str]] = set()
        self._known_roots = {each.root.name for each in snapshot.generations}
        self._known_pins = set(snapshot.pins)
        self.removed: list[Doomed] = []
        self.spared: list[Doomed] = []

    def run(self, doomed: Iterable[Doomed]) -> None:
        """Remove dead objects, and spare those that were needed after all.

        An object goes only when nothing in the cache needs it at that moment, whatever the plan
        says: a narinfo when no other narinfo refers to it, an archive when no narinfo names it,
        everything else when its narinfo is gone. So whatever is spared spares what it needs.

        :param doomed: in the order of a plan.
        :raises CacheError: the lock is lost, or S3 refuses; the rest of the cache is consistent.
        """
        for batch in batches(doomed):
            self._announce(batch)
            going = [each for each in batch if self._may_go(each)]
            names = {each.name for each in going}
            self.spared += [each for each in batch if each.name not in names]
            self._delete(going)
            for each in going:
                if each.kind == "path":
                    self._graph.remove(object_digest(each.name))

    def run_unless_needed(self, doomed: Sequence[Doomed]) -> None:
        """Remove narinfos with all that refer to them, and stop as soon as anybody needs one.

        :param doomed: as of `with_referrers`.
        :raises CacheError: a push, a new root or a new pin needs one of them; the lock is lost; or
            S3 refuses. The rest of the cache is consistent.
        """
        for batch in batches(doomed):
            # All of them each time: a push that needs a later batch waits, instead of stopping this.
            self._announce(doomed)
            self._refuse_needed(doomed)
            self._delete(batch)

    def _announce(self, doomed: Sequence[Doomed]) -> None:
        self._lock.declare(
            frozenset(digest for each in doomed for digest in each.paths),
            frozenset(digest for each in doomed for digest in each.nars),
        )
        # Only now: who came before has a lease or a root there, who comes later sees the batch and waits.
        self._look_again()

    def _refuse_needed(self, doomed: Sequence[Doomed]) -> None:
        paths = frozenset(digest for each in doomed for digest in each.paths)
        for digest in paths:
            published = self._graph.referrers(digest) - paths
            holder = self._needs.get(digest) or (published and narinfo_name(min(published)))
            if holder:
                raise CacheError(
                    f"{holder} relies on paths that are to be dropped",
                    hint="run it again when the push is done",
                )

    def _delete(self, going: Sequence[Doomed]) -> None:
        if going:
            self._lock.delete(each.name for each in going)
        self.removed += going
        self._tell(len(self.removed))

    def _may_go(self, each: Doomed) -> bool:
        if not self._needs.keys().isdisjoint(each.paths | each.nars):
            return False
        match each.kind:
            case "root":
                return True
            case "path":
                return not self._graph.referrers(object_digest(each.name))
            case "nar":
                return not self._graph.users(each.name)
            case _:
                return not any(digest in self._graph for digest in each.paths)

    def _look_again(self) -> None:
        """Leases first: a push records its root before it gives up its lease."""
        for found, data in self._new(LEASES):
            lease = LeaseRecord.parse(data, found)
            # One that has ended during this sweep still counts: what its push published is not in the snapshot.
            if lease.expires >= self._start:
                held = (*lease.paths.keys(), *lease.paths.values())
                self._needs |= dict.fromkeys(held, f"a push by {lease.holder}")
        for found, data in self._new(ROOTS, self._known_roots):
            self._keep(found.name, ROOT_FORMAT.parse(data, source=found.name).paths)
        for found, data in self._new(PINS):
            pin = PIN_FORMAT.parse(data, source=found.name)
            if pin not in self._known_pins:
                self._keep(found.name, pin.paths)

    def _new(self, prefix: str, known: Collection[str] = ()) -> Iterator[tuple[ObjectInfo, bytes]]:
        for found in list(self._bucket.objects(prefix)):
            if found.name not in known and (found.name, found.etag) not in self._seen:
                self._seen.add((found.name, found.etag))
                data = self._bucket.read(found.name)
                if data is not None:
                    yield found, data

    def _keep(self, holder: str, paths: Iterable[str]) -> None:
        """Spare these paths, and read those narinfos of their closures that the snapshot lacks."""
        todo = list(map(path_digest, paths))
        self._needs |= dict.fromkeys(todo, holder)
        while todo:
            digest = todo.pop()
            if digest not in self._graph:
                name = narinfo_name(digest)
                data = self._bucket.read(name)
                info = data and read_narinfo(data)
                if isinstance(info, NarInfo) and info.key == name:
                    self._graph.add(info)
                    todo += self._graph.references(digest)


def remove_paths(
    bucket: Bucket, names: Iterable[str], *, clock: Callable[[], float] = boot_clock
) -> tuple[str, ...]:
    """Remove narinfos that clients cannot use, with all that reach them, and their listings.

    Kept generations do not prevent it: clients could not get those paths anyway. Archives are left
    to a collection.

    :param bucket: of the cache.
    :param names: of narinfos, also of some that cannot be read or are missing.
    :param clock: replaceable for tests.
    :returns: the names of the removed narinfos, referrers first.
    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    :raises CacheError: a push relies on one of the paths, a collector is at work, or S3 refuses.
        What was removed until then was unusable, with all that referred to it.
    """
    with sweep_lock(bucket, clock=clock) as lock:
        snapshot = read_snapshot(bucket, lock.tick)
        doomed = with_referrers(snapshot.inventory, names)
        Sweep(bucket, lock, snapshot).run_unless_needed(doomed)
    return tuple(each.name for each in doomed if each.kind == "path")
