"""``nixgen cache gc``: collection of a cache that has no server to ask.

Everything that a collection must know lies in the bucket, and others write to it meanwhile. These
rules make it safe:

- **Live** is every path in the closures of the kept generations (`nixgen.cache.collect.policy`), of
  pins, of leases that hold, and of narinfos younger than the minimum age. The last rule is for
  pushers that know nothing of leases, such as ``nix copy``.
- **Order**: a narinfo goes after every narinfo that refers to it, in a later request, since S3
  gives no order within one. Archives go last, when no narinfo names them. So an interruption at any
  point leaves a cache in which every visible path is complete.
- **Two phases**: a dead object first gets a tombstone. It goes when every run has found it dead for
  the grace.
- **Against pushes**: a batch is written into ``nixgen/sweep.json`` before it is deleted, and *then*
  leases, roots and pins are read again, in this order: a push records its root before it gives up
  its lease. A push writes its lease and *then* reads the sweep document. So one of the two sees the
  other; see `nixgen.cache.keep.leases`. A lease that held when the collection began counts until
  the collection ends, even if it has lapsed since: its push may have published a path that the
  collection has not listed, and for which there is no root yet.
- **Against a second collector**: the sweep document is the lock. It is taken on condition that
  there is none (``If-None-Match``), or that it is the expired one that was read (``If-Match``).
- **Against clocks**: ages are by the server's clock. A process measures the age of its own batch or
  lease itself, from before the request that wrote it.
- **Against slow requests**: a batch has a deadline. Deletes stop one request timeout before it, so
  none can still be in flight when a waiting pusher proceeds.

``nixgen cache repair --drop`` removes paths by the same rules (`nixgen.cache.collect.sweep`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.collect.plan import Doomed, GcPlan, make_plan
from nixgen.cache.collect.policy import GcPolicy
from nixgen.cache.collect.snapshot import Snapshot, read_snapshot
from nixgen.cache.collect.sweep import Sweep
from nixgen.cache.keep.leases import boot_clock
from nixgen.cache.keep.lock import BATCH_SECONDS, SweepLock, sweep_lock
from nixgen.cache.keep.tombstones import read_tombstones, write_tombstones
from nixgen.programs.observer import ignore
from nixgen.records.document import document
from nixgen.records.times import time_text

__all__ = ["GcReport", "collect", "preview"]


@frozen(kw_only=True)
class GcReport:
    """The outcome of a collection, or of its preview.

    :param cache: the address of the cache.
    :param applied: False for a preview.
    :param now: the time of the run, by the server's clock.
    :param policy: the rules.
    :param plan: the dead objects, and a count of the living.
    :param since: for each dead object, the time since which it is known to be dead.
    :param due: names of the objects that have been dead for the grace.
    :param removed: names of the removed objects; empty for a preview.
    :param rescued: names of the objects that were marked dead before, and are needed again.
    :param spared: names of the objects that were due, and were needed when their turn came.
    :param leases: how many leases hold, and so keep their paths.
    :param seconds: how long it took.
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
        """Bytes of the removed objects."""
        return self.bytes_of(self.removed)

    def bytes_of(self, names: frozenset[str]) -> int:
        """Bytes of some of the dead objects.

        :param names: of the objects.
        """
        return sum(each.size for each in self.plan.doomed if each.name in names)

    def document(self) -> dict[str, Any]:
        """The document of ``--json``, nixgen/cache-gc/1."""
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
    """Find out what `collect` would do now. Writes nothing.

    :param bucket: of the cache.
    :param policy: the rules.
    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    :raises CacheError: S3 refuses or does not answer.
    """
    return _planned(bucket, policy)[0]


def collect(
    bucket: Bucket,
    policy: GcPolicy,
    *,
    batch_seconds: float = BATCH_SECONDS,
    clock: Callable[[], float] = boot_clock,
    tell: Callable[[int, int], None] = ignore,
) -> GcReport:
    """Mark the dead objects, and remove those that have been dead for the grace.

    An interruption at any point leaves a consistent cache, and the next collection goes on.

    :param bucket: of the cache.
    :param policy: the rules.
    :param batch_seconds: how long others wait for a collector that died.
    :param clock: seconds, replaceable for tests.
    :param tell: called after each batch with the numbers of removed objects and of due ones.
    :raises VerifyError: a root, pin or lease is unreadable, so that nobody knows what it keeps.
    :raises CacheError: another collection is at work; S3 refuses or does not answer.
    """
    started = time.monotonic()
    with sweep_lock(bucket, seconds=batch_seconds, clock=clock) as lock:
        report, snapshot, marked = _planned(bucket, policy, lock.tick)
        due, since = report.due, report.since
        _remember(bucket, lock, marked, since, report.now)
        sweep = Sweep(bucket, lock, snapshot, lambda done: tell(done, len(due)))
        sweep.run(each for each in report.plan.doomed if each.name in due)
        removed = frozenset(each.name for each in sweep.removed)
        left = {name: when for name, when in since.items() if name not in removed}
        _remember(bucket, lock, since, left, report.now)
        if snapshot.lapsed:
            bucket.delete(snapshot.lapsed)
    return evolve(
        report,
        applied=True,
        removed=removed,
        spared=tuple(each.name for each in sweep.spared),
        seconds=time.monotonic() - started,
    )


def _planned(
    bucket: Bucket, policy: GcPolicy, tick: Callable[[], None] = ignore
) -> tuple[GcReport, Snapshot, dict[str, datetime]]:
    """The report of a preview, with the contents of the cache and its tombstones."""
    started = time.monotonic()
    snapshot = read_snapshot(bucket, tick)
    plan = make_plan(snapshot, policy)
    marked = read_tombstones(bucket)
    since = {each.name: marked.get(each.name, snapshot.now) for each in plan.doomed}
    needed = marked.keys() - since.keys()
    report = GcReport(
        cache=str(bucket.location),
        applied=False,
        now=snapshot.now,
        policy=policy,
        plan=plan,
        since=since,
        due=frozenset(name for name, when in since.items() if snapshot.now - when >= policy.grace),
        rescued=tuple(sorted(needed & snapshot.inventory.objects.keys())),
        leases=len(snapshot.leases),
        seconds=time.monotonic() - started,
    )
    return report, snapshot, marked


def _remember(
    bucket: Bucket,
    lock: SweepLock,
    before: dict[str, datetime],
    marks: dict[str, datetime],
    now: datetime,
) -> None:
    """Write the tombstones when they have changed, as the holder of the lock."""
    if marks != before:
        lock.declare()
        write_tombstones(bucket, marks, now)
