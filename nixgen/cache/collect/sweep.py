"""Removing what is dead, batch by batch, with one more look before each at who may have come to need it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.collect.plan import Doomed, batches
from nixgen.cache.collect.snapshot import Node, Snapshot, parse_node
from nixgen.cache.format.names import narinfo_name, object_digest
from nixgen.cache.keep.leases import LEASES, LeaseRecord
from nixgen.cache.keep.lock import SweepLock
from nixgen.cache.keep.roots import PINS, ROOTS, Pin, Root
from nixgen.store.path import path_digest

__all__ = ["Sweep"]


class Sweep:
    """One sweep of a cache.

    An object goes only when nothing in the cache needs it at that moment, whatever the plan says: a narinfo when no other narinfo refers to it,
    a NAR when no narinfo names it, everything else when its narinfo is gone. So whatever is spared spares what it needs.

    :param snapshot: what the plan was made from.
    :param tell: called with the number of objects that are gone, after each batch.
    """

    def __init__(
        self,
        bucket: Bucket,
        lock: SweepLock,
        snapshot: Snapshot,
        tell: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._bucket = bucket
        self._lock = lock
        self._start = snapshot.now
        self._tell = tell
        self._nodes = _Nodes(snapshot)
        self._paths: set[str] = set()  # that somebody has come to need; never fewer during a sweep
        self._nars: set[str] = set()
        self._seen: set[tuple[str, str]] = set()
        self._known = {each.root.name for each in snapshot.generations}
        self._known_pins = set(snapshot.pins)
        self.removed: list[Doomed] = []
        self.spared: list[Doomed] = []

    def run(self, doomed: Iterable[Doomed]) -> None:
        """Remove ``doomed``, given in the order of a plan; what was needed after all is in `spared`.

        :raises CacheError: the lock is lost, or S3 refuses; what is left is consistent.
        """
        for batch in batches(doomed):
            self._lock.declare(
                frozenset(part for each in batch for part in each.paths),
                frozenset(digest for each in batch for digest in each.nars),
            )
            # Only now: who came before has a lease or a root there, who comes later sees the batch and waits.
            self._look_again()
            going = [each for each in batch if self._may_go(each)]
            names = {each.name for each in going}
            self.spared += [each for each in batch if each.name not in names]
            if names:
                self._lock.delete(names)
            for each in going:
                if each.kind == "path":
                    self._nodes.remove(object_digest(each.name))
            self.removed += going
            self._tell(len(self.removed))

    def _may_go(self, each: Doomed) -> bool:
        if not each.paths.isdisjoint(self._paths) or not each.nars.isdisjoint(self._nars):
            return False
        match each.kind:
            case "root":
                return True
            case "path":
                return not self._nodes.is_referred_to(object_digest(each.name))
            case "nar":
                return not self._nodes.is_named(each.name)
            case _:
                return self._nodes.has_none_of(each.paths)

    def _look_again(self) -> None:
        """Leases first: a push records its root before it gives up its lease."""
        for found in self._new(LEASES):
            data = self._bucket.read(found.name)
            if data is not None:
                lease = LeaseRecord.parse(data, found)
                # One that has ended during this sweep still counts: what its push published is not in the snapshot.
                if lease.expires >= self._start:
                    self._paths |= lease.paths.keys()
                    self._nars |= set(lease.paths.values())
        for found in self._new(ROOTS):
            data = None if found.name in self._known else self._bucket.read(found.name)
            if data is not None:
                self._keep(Root.parse(data, source=found.name).paths)
        for found in self._new(PINS):
            data = self._bucket.read(found.name)
            if data is not None:
                pin = Pin.parse(data, source=found.name)
                if pin not in self._known_pins:
                    self._keep(pin.paths)

    def _new(self, prefix: str) -> list[ObjectInfo]:
        found = [
            each
            for each in self._bucket.objects(prefix)
            if (each.name, each.etag) not in self._seen
        ]
        self._seen |= {(each.name, each.etag) for each in found}
        return found

    def _keep(self, paths: Iterable[str]) -> None:
        """Spare these paths, and learn of all that they reach what was published since the snapshot."""
        todo = list(map(path_digest, paths))
        self._paths |= set(todo)
        while todo:
            part = todo.pop()
            if self._nodes.has_none_of((part,)):
                name = narinfo_name(part)
                data = self._bucket.read(name)
                node = data and parse_node(name, data)
                if isinstance(node, Node):
                    self._nodes.add(part, node)
                    todo += node.references


class _Nodes:
    """The narinfos that are there, and who needs whom."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._nodes: dict[str, Node] = {}
        self._referrers: dict[str, set[str]] = {}
        self._namers: dict[str, set[str]] = {}
        for part, node in snapshot.nodes.items():
            self.add(part, node)
        # Never removed, and what they say counts as far as it is legible.
        self._corrupt = {object_digest(broken.name) for broken in snapshot.corrupt}
        for broken in snapshot.corrupt:
            self._note(object_digest(broken.name), broken.references, broken.url)

    def add(self, part: str, node: Node) -> None:
        self._nodes[part] = node
        self._note(part, node.references, node.url)

    def remove(self, part: str) -> None:
        node = self._nodes.pop(part)
        for reference in node.references:
            self._referrers[reference].discard(part)
        self._namers[node.url].discard(part)

    def has_none_of(self, parts: Iterable[str]) -> bool:
        return not any(part in self._nodes or part in self._corrupt for part in parts)

    def is_referred_to(self, part: str) -> bool:
        return bool(self._referrers.get(part))

    def is_named(self, url: str) -> bool:
        return bool(self._namers.get(url))

    def _note(self, part: str, references: Iterable[str], url: str | None) -> None:
        for reference in references:
            self._referrers.setdefault(reference, set()).add(part)
        if url is not None:
            self._namers.setdefault(url, set()).add(part)
