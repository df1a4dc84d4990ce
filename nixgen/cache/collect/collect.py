"""``nixgen cache gc``: collection of a cache that has no server to ask.

Everything that a collection must know lies in the bucket itself, and others write to it meanwhile. What makes it safe:

- **What lives**: all that is reachable from the kept generations (`nixgen.cache.collect.policy`), pins, leases that hold, and narinfos younger than
  the minimum age; the last is for pushers that know nothing of leases, such as ``nix copy``.
- **Order**: a narinfo goes only after every narinfo that refers to it, in requests of their own, since S3 gives no order within one; NARs last,
  when no narinfo names them. So an interruption at any point leaves a cache in which whatever is visible is complete.
- **Two phases**: what is dead gets a tombstone, and goes when it has been dead for the grace, as every run since found afresh.
- **Against pushes**: before a batch is deleted it is written into ``nixgen/sweep.json``, and *then* leases, roots and pins are read again, in this
  order (a push records its root before it gives up its lease). A push writes its lease and *then* reads the sweep document. One of both
  sees the other; see `nixgen.cache.keep.leases`. A lease that held when the collection began counts until it ends, also when it has lapsed since:
  its push may have published something that the collection has not listed, without a root yet.
- **Against a second collector**: the sweep document is the lock, taken on condition that there is none (``If-None-Match``) or that it is the
  expired one that was read (``If-Match``).
- **Against clocks**: ages are by the server's clock. What a process knows of its own batch or lease it measures itself, beginning before the
  request that wrote it. No deletion begins in the last part of its batch's time, so that one that is on its way when a pusher stops waiting
  would have to be longer on its way than a request may take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.collect.plan import Doomed, GcPlan, make_plan
from nixgen.cache.collect.policy import GcPolicy
from nixgen.cache.collect.snapshot import Snapshot, read_snapshot
from nixgen.cache.collect.sweep import Sweep
from nixgen.cache.keep.leases import boot_clock
from nixgen.cache.keep.lock import BATCH_SECONDS, SweepLock, sweep_lock
from nixgen.cache.keep.tombstones import read_tombstones, write_tombstones
from nixgen.records.document import document
from nixgen.records.times import time_text

__all__ = ["GcReport", "collect", "preview"]


@frozen(kw_only=True)
class GcReport:
    """What a collection did, or would do.

    :param cache: its address.
    :param applied: False for a preview.
    :param now: by the server's clock.
    :param since: since when each doomed object is known to be dead; those of a preview may be missing.
    :param due: names of those that have been dead for the grace.
    :param removed: names of what is gone; empty for a preview.
    :param rescued: names of what was marked before and is needed again.
    :param spared: names of what was due, and was needed after all when its turn came.
    :param leases: that hold, and so keep their paths.
    """

    cache: str
    applied: bool
    now: datetime
    policy: GcPolicy
    plan: GcPlan
    since: dict[str, datetime] = field(factory=dict)
    due: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    rescued: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    leases: int = 0
    seconds: float

    @property
    def removed_bytes(self) -> int:
        """Of what is gone."""
        return self.bytes_of(self.removed)

    @property
    def due_bytes(self) -> int:
        """Of what may go now."""
        return self.bytes_of(self.due)

    def bytes_of(self, names: frozenset[str]) -> int:
        """Of those doomed objects."""
        return sum(each.size for each in self.plan.doomed if each.name in names)

    def document(self) -> dict[str, Any]:
        """For ``--json``: schema nixgen/cache-gc/1."""
        return document(
            "nixgen/cache-gc/1",
            cache=self.cache,
            applied=self.applied,
            now=time_text(self.now),
            kept={
                "paths": self.plan.kept_paths,
                "bytes": self.plan.kept_bytes,
                "leases": self.leases,
            },
            doomed=[self._entry(each) for each in self.plan.doomed],
            removed={"objects": len(self.removed), "bytes": self.removed_bytes},
            rescued=list(self.rescued),
            spared=list(self.spared),
            problems=list(self.plan.problems),
            seconds=round(self.seconds, 3),
        )

    def _entry(self, each: Doomed) -> dict[str, Any]:
        since = self.since.get(each.name)
        return {
            "kind": each.kind,
            "name": each.name,
            "path": each.path,
            "bytes": each.size,
            "why": each.why,
            "since": since and time_text(since),
            "due": each.name in self.due,
            "removed": each.name in self.removed,
        }


def preview(bucket: Bucket, policy: GcPolicy) -> GcReport:
    """What `collect` would do now. Writes nothing.

    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    :raises CacheError: S3 refuses or does not answer.
    """
    started = time.monotonic()
    snapshot = read_snapshot(bucket)
    plan = make_plan(snapshot, policy)
    marked = read_tombstones(bucket)
    since = {each.name: marked.get(each.name, snapshot.now) for each in plan.doomed}
    return GcReport(
        cache=str(bucket.location),
        applied=False,
        now=snapshot.now,
        policy=policy,
        plan=plan,
        since=since,
        due=_due(since, policy, snapshot.now),
        rescued=_rescued(marked, plan, snapshot),
        leases=len(snapshot.leases),
        seconds=time.monotonic() - started,
    )


def collect(
    bucket: Bucket,
    policy: GcPolicy,
    *,
    batch_seconds: float = BATCH_SECONDS,
    clock: Callable[[], float] = boot_clock,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> GcReport:
    """Mark what is dead, and remove what has been so for the grace.

    Interrupted at any point, the cache is consistent, and the next collection goes on.

    :param batch_seconds: how long others wait for a collector that died.
    :param clock: replaceable for tests.
    :param tell: called after each batch with the objects that are gone, and those that are due.
    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    :raises CacheError: another collection is at work; S3 refuses or does not answer.
    """
    started = time.monotonic()
    with sweep_lock(bucket, seconds=batch_seconds, clock=clock) as lock:
        snapshot = read_snapshot(bucket, lock.tick)
        plan = make_plan(snapshot, policy)
        marked = read_tombstones(bucket)
        since = {each.name: marked.get(each.name, snapshot.now) for each in plan.doomed}
        due = _due(since, policy, snapshot.now)
        _remember(bucket, lock, marked, since, snapshot.now)
        sweep = Sweep(bucket, lock, snapshot, lambda done: tell(done, len(due)))
        sweep.run(each for each in plan.doomed if each.name in due)
        removed = frozenset(each.name for each in sweep.removed)
        left = {name: when for name, when in since.items() if name not in removed}
        _remember(bucket, lock, since, left, snapshot.now)
        if snapshot.lapsed:
            bucket.delete(snapshot.lapsed)
    return GcReport(
        cache=str(bucket.location),
        applied=True,
        now=snapshot.now,
        policy=policy,
        plan=plan,
        since=since,
        due=due,
        removed=removed,
        rescued=_rescued(marked, plan, snapshot),
        spared=tuple(each.name for each in sweep.spared),
        leases=len(snapshot.leases),
        seconds=time.monotonic() - started,
    )


def _remember(
    bucket: Bucket,
    lock: SweepLock,
    before: dict[str, datetime],
    marks: dict[str, datetime],
    now: datetime,
) -> None:
    """Write tombstones, if they are others than before, as the holder of the lock."""
    if marks != before:
        lock.declare()
        write_tombstones(bucket, marks, now)


def _due(since: dict[str, datetime], policy: GcPolicy, now: datetime) -> frozenset[str]:
    return frozenset(name for name, when in since.items() if now - when >= policy.grace)


def _rescued(marked: dict[str, datetime], plan: GcPlan, snapshot: Snapshot) -> tuple[str, ...]:
    doomed = {each.name for each in plan.doomed}
    return tuple(sorted((marked.keys() - doomed) & snapshot.inventory.objects.keys()))
