"""Leases: what keeps a collector away from the paths of a push that is under way.

A push must not find a path in the cache, rely on it, and lose it before a root holds it. So before it asks what exists it writes a lease that
names its whole closure, and *then* reads ``nixgen/sweep.json``, while a collector writes there what it is about to delete, and *then* reads the
leases (`nixgen.cache.collect.collect`). S3 is strongly consistent, so at least one of both sees the other, as in Dekker's algorithm: the collector
spares the path, or the push waits until the batch is over and then finds out what is left.

A lease is removed when a root holds what its push published (`Lease.settle`). Without a root, and after an error, it is left to lapse: a
collector that listed the cache before must still learn of what was published since.

Format of ``nixgen/leases/<id>.json``: nixgen/cache-lease/1, ``{id, created, expires, seconds, holder, paths: {hash part: NAR hash in base 32}}``.
``created`` and ``expires`` are for people. A lease holds for ``seconds`` after the server's time of its last writing, so no two clocks are compared.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.format.names import content_type
from nixgen.cache.keep.batch import SWEEP, SWEEP_FORMAT, SweepBatch, outlived
from nixgen.cache.keep.documents import CacheFormat
from nixgen.errors import CacheError
from nixgen.programs.observer import ignore
from nixgen.store.path import path_digest

if TYPE_CHECKING:
    from nixgen.driver.store.store import PathInfo

__all__ = ["LEASES", "Lease", "LeaseRecord", "boot_clock", "holder", "leased", "leased_paths"]

LEASES = "nixgen/leases/"
_TTL = 600.0
_POLL = 1.0
#: Of a lease's time, after which its push must have stopped: a request that is on its way then still falls into the rest.
_USABLE = 5 / 6


def boot_clock() -> float:
    """Seconds, also those that a computer slept through: a lease does not wait for a laptop to wake up."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def holder() -> str:
    """The computer and the process that this is, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextlib.contextmanager
def leased(
    bucket: Bucket,
    infos: Iterable[PathInfo],
    *,
    ttl: float = _TTL,
    waiting: Callable[[SweepBatch], None] = ignore,
) -> Iterator[Lease]:
    """Keep collectors away from ``infos`` for the length of the block.

    Enter it before asking what exists, and record the root inside of it, then `Lease.settle`. One PUT and one GET, then a PUT in every third of ``ttl``.

    :param infos: the whole closure.
    :param ttl: seconds that the lease holds on when its process dies.
    :param waiting: told of each batch of a collector that has to be waited for.
    :raises CacheError: S3 refuses or does not answer; or, at the end of the block, the lease had lapsed.
    """
    with leased_paths(bucket, _held(infos), ttl=ttl, waiting=waiting) as lease:
        yield lease


@contextlib.contextmanager
def leased_paths(
    bucket: Bucket,
    paths: Mapping[str, str],
    *,
    ttl: float = _TTL,
    waiting: Callable[[SweepBatch], None] = ignore,
    clock: Callable[[], float] = boot_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Lease]:
    """As `leased`, of hash parts with their NAR hashes in base 32.

    :param clock: with ``sleep``, replaceable for tests.
    """
    lease = Lease(bucket, ttl=ttl, waiting=waiting, clock=clock, sleep=sleep)
    try:
        with lease.renewed():
            lease.add(paths)
            yield lease
        # Still ours after all was recorded; else a collector may have removed what was relied on.
        lease.require()
    finally:
        if lease.settled:
            # It lapses by itself if it cannot be removed, and the work is done.
            with contextlib.suppress(CacheError):
                bucket.delete([lease.name])


class Lease:
    """A lease that is being held; `leased` makes them. Safe to use from many threads."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        ttl: float,
        waiting: Callable[[SweepBatch], None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"
        self._bucket = bucket
        self._ttl = ttl
        self._waiting = waiting
        self._clock = clock
        self._sleep = sleep
        self._created = datetime.now(UTC)
        self._paths: dict[str, str] = {}
        self._written: float | None = None
        self._lapsed = False
        self.settled = False
        self._lock = threading.RLock()
        self._over = threading.Event()

    @property
    def name(self) -> str:
        """Of its document in the cache."""
        return f"{LEASES}{self.id}.json"

    def extend(self, infos: Iterable[PathInfo]) -> None:
        """Hold more paths; returns when no collector is deleting any of them. Ask what exists of them only then.

        :raises CacheError: as `leased`.
        """
        self.add(_held(infos))

    def add(self, paths: Mapping[str, str]) -> None:
        """As `extend`, of hash parts with their NAR hashes in base 32."""
        with self._lock:
            self._paths |= paths
            self._write()
        # Only now: a collector that has not seen the paths above has its batch in place already.
        self._give_way(paths)

    def settle(self) -> None:
        """A root or pin holds all that was published, or nothing was: the lease need not outlast its block."""
        self.settled = True

    def require(self) -> None:
        """Call before relying on what the cache was found to have, as publishing a narinfo or recording a root does.

        :raises CacheError: the lease could not be renewed in time, so that a collector may have removed what it held.
        """
        with self._lock:
            if self._lapsed or self._written is None or self._age() >= self._ttl * _USABLE:
                self._lapsed = True
                raise CacheError(
                    f"the lease on {self._bucket.location} could not be renewed for {self._ttl * _USABLE:.0f} s,"
                    " so a collection may have removed what it held",
                    hint="run it again; what was stored is not uploaded twice",
                )

    @contextlib.contextmanager
    def renewed(self) -> Iterator[None]:
        """Write it again and again for the length of the block."""
        thread = threading.Thread(target=self._renew, name="cache-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _renew(self) -> None:
        pause = self._ttl / 3
        while not self._over.wait(pause):
            pause = self._ttl / 3
            try:
                with self._lock:
                    if self._written is not None:
                        self._write()
            except CacheError:
                pause = self._ttl / 30  # `require` says so, if it lasts

    def _age(self) -> float:
        return self._clock() - (self._written or 0.0)

    def _write(self) -> None:
        """Its time counts from before the request: the server's can only begin later."""
        started, now = self._clock(), datetime.now(UTC)
        document = _LeaseDocument(
            id=self.id,
            created=self._created,
            expires=now + timedelta(seconds=self._ttl),
            seconds=self._ttl,
            holder=holder(),
            paths=self._paths,
        )
        self._bucket.put(self.name, _FORMAT.encode(document), content_type=content_type(self.name))
        # Renewed too late is not renewed: a collector may have looked in between.
        if self._written is not None and self._age() >= self._ttl * _USABLE:
            self._lapsed = True
        self._written = started

    def _give_way(self, paths: Mapping[str, str]) -> None:
        """Wait while a batch that holds names one of ``paths``."""
        watched, since = "", 0.0
        while found := self._bucket.read_tagged(SWEEP):
            batch, tag = SWEEP_FORMAT.parse(found[0], source=SWEEP), found[1]
            if not batch.touches(paths):
                return
            if tag != watched:
                watched, since = tag, self._clock()
                if outlived(self._bucket, tag, batch.seconds):
                    return
                self._waiting(batch)
            elif self._clock() - since > batch.seconds:
                return
            self._sleep(_POLL)


def _held(infos: Iterable[PathInfo]) -> dict[str, str]:
    # Hashes are not parsed: a closure has thousands.
    return {path_digest(info.path): info.nar_hash.removeprefix("sha256:") for info in infos}


@frozen(kw_only=True)
class _LeaseDocument:
    """The members of a lease's document; ``created`` and ``expires`` are for people."""

    id: str
    created: datetime
    expires: datetime
    seconds: float
    holder: str
    paths: Mapping[str, str]


_FORMAT = CacheFormat(schema="nixgen/cache-lease/1", shape=_LeaseDocument)


@frozen(kw_only=True)
class LeaseRecord:
    """A lease that another process holds.

    :param name: of its document in the cache.
    :param holder: computer and process, for people.
    :param written: when the document was last written, by the server's clock.
    :param seconds: how long it holds from then.
    :param paths: NAR hash in base 32, by digest of the store path.
    """

    name: str
    holder: str
    written: datetime
    seconds: float
    paths: Mapping[str, str]

    @property
    def expires(self) -> datetime:
        """The end of the lease, by the server's clock, which tells whole seconds."""
        return self.written + timedelta(seconds=self.seconds + 1)

    @classmethod
    def parse(cls, data: bytes, found: ObjectInfo) -> LeaseRecord:
        """Read a lease.

        :param data: the document.
        :param found: its object in the cache.
        :raises VerifyError: the document is no lease.
        """
        document = _FORMAT.parse(data, source=found.name)
        return cls(
            name=found.name,
            holder=document.holder,
            written=found.modified,
            seconds=document.seconds,
            paths=document.paths,
        )
