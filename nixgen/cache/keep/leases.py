"""Leases: a push that is under way keeps collectors away from the paths that it relies on.

A push must not find a path in the cache, rely on it, and lose it before a root holds it. So it
writes a lease that names its whole closure before it asks what exists, and *then* reads
``nixgen/sweep.json``. A collector writes there what it is about to delete, and *then* reads the
leases (`nixgen.cache.collect.collect`). S3 is strongly consistent, so at least one of the two sees
the other, as in Dekker's algorithm: the collector spares the path, or the push waits until the
batch is over and then asks what is left.

A lease is removed when a root holds what its push published (`Lease.settle`). Without a root, and
after an error, the lease is left to lapse: a collector that listed the cache before must still
learn of what was published since.

Format of ``nixgen/leases/<id>.json``: nixgen/cache-lease/1, ``{id, created, expires, seconds,
holder, paths: {digest: NAR hash in base 32}}``. A lease holds for ``seconds`` after the server's
time of its last writing, so that the clocks of two computers are never compared. ``created`` and
``expires`` are for people.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from attrs import define, frozen

from nixgen.cache.bucket.bucket import Bucket, ObjectInfo
from nixgen.cache.keep.batch import SWEEP, SWEEP_FORMAT, SweepBatch, outlived
from nixgen.cache.keep.documents import CacheFormat
from nixgen.driver.store.store import PathInfo
from nixgen.errors import CacheError
from nixgen.programs.observer import ignore
from nixgen.store.path import path_digest

__all__ = ["LEASES", "Lease", "LeaseRecord", "boot_clock", "holder", "leased", "leased_paths"]

LEASES = "nixgen/leases/"
#: Seconds that a lease holds when its process dies. It is written anew in every third of them.
_SECONDS = 600.0
#: After so long without a renewal the push stops; a request on its way then still ends before the
#: lease does.
_USABLE_SECONDS = _SECONDS * 5 / 6
_RETRY_SECONDS = _SECONDS / 30
_POLL_SECONDS = 1.0


def boot_clock() -> float:
    """Seconds since the computer was started, also those that it slept: leases end meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def holder() -> str:
    """The name of this computer and process, such as ``build-1:4711``, for people."""
    return f"{socket.gethostname()}:{os.getpid()}"


def leased(
    bucket: Bucket, infos: Iterable[PathInfo], *, waiting: Callable[[SweepBatch], None] = ignore
) -> contextlib.AbstractContextManager[Lease]:
    """Keep collectors away from store paths for the length of a ``with`` block.

    Enter the block before you ask what exists in the cache, record the root inside it, then call
    `Lease.settle`. Takes one PUT and one GET, and a PUT every 200 seconds.

    :param bucket: of the cache.
    :param infos: the whole closure of the paths to push.
    :param waiting: called with each batch of a collector that the lease has to wait for.
    :raises CacheError: S3 refuses or does not answer; or, at the end of the block, the lease could
        not be renewed in time.
    """
    # Hashes are not parsed: a closure has thousands.
    held = {path_digest(info.path): info.nar_hash.removeprefix("sha256:") for info in infos}
    return leased_paths(bucket, held, waiting=waiting)


@contextlib.contextmanager
def leased_paths(
    bucket: Bucket,
    paths: Mapping[str, str],
    *,
    waiting: Callable[[SweepBatch], None] = ignore,
    clock: Callable[[], float] = boot_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Lease]:
    """Keep collectors away, as `leased` does, from paths that are known by their digests.

    :param bucket: of the cache.
    :param paths: NAR hashes in base 32, by the digest of the store path.
    :param waiting: called with each batch of a collector that the lease has to wait for.
    :param clock: seconds, replaceable for tests.
    :param sleep: replaceable for tests.
    :raises CacheError: as `leased`.
    """
    lease = Lease(bucket, paths, waiting, clock, sleep)
    try:
        with lease.held():
            yield lease
        # Still ours after all was recorded; else a collector may have removed what was relied on.
        lease.require()
    finally:
        if lease.settled:
            # It lapses by itself if it cannot be removed, and the work is done.
            with contextlib.suppress(CacheError):
                bucket.delete([lease.name])


@define(eq=False, slots=False)
class Lease:
    """A lease of this process, as `leased` makes them. Safe to use from many threads.

    :param bucket: of the cache.
    :param paths: NAR hashes in base 32, by the digest of the store path.
    :param waiting: called with each batch of a collector that the lease has to wait for.
    :param clock: seconds.
    :param sleep: waits for so many seconds.
    """

    _bucket: Bucket
    _paths: Mapping[str, str]
    _waiting: Callable[[SweepBatch], None]
    _clock: Callable[[], float]
    _sleep: Callable[[float], None]

    def __attrs_post_init__(self) -> None:
        self._id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}"
        self._created = datetime.now(UTC)
        self._written = math.inf  # by `clock`; not yet
        self._lapsed = False
        self.settled = False
        self._lock = threading.Lock()
        self._over = threading.Event()

    @property
    def name(self) -> str:
        """The name of the lease's document in the cache."""
        return f"{LEASES}{self._id}.json"

    def settle(self) -> None:
        """Say that a root or pin holds all that was published, or that nothing was.

        The lease is then removed at the end of its block.
        """
        self.settled = True

    def require(self) -> None:
        """Check that the lease holds, before relying on what the cache was found to have.

        Publishing a narinfo and recording a root rely on it.

        :raises CacheError: the lease could not be renewed in time, so that a collector may have
            removed what it held.
        """
        with self._lock:
            self._lapsed = self._lapsed or self._is_late()
            if self._lapsed:
                raise CacheError(
                    f"the lease on {self._bucket.location} could not be renewed for {_USABLE_SECONDS:.0f} s,"
                    " so a collection may have removed what it held",
                    hint="run it again; what was stored is not uploaded twice",
                )

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lease for the length of the block, which begins after collectors in the way."""
        self._write()
        thread = threading.Thread(target=self._renew, name="cache-lease", daemon=True)
        thread.start()
        try:
            # Only now: a collector that has not seen the lease has its batch in place already.
            self._wait_for_collectors()
            yield
        finally:
            self._over.set()
            thread.join()

    def _renew(self) -> None:
        pause = _SECONDS / 3
        while not self._over.wait(pause):
            pause = _SECONDS / 3
            try:
                with self._lock:
                    self._write()
            except CacheError:
                pause = _RETRY_SECONDS  # `require` says so, if it lasts

    def _is_late(self) -> bool:
        return self._clock() - self._written >= _USABLE_SECONDS

    def _write(self) -> None:
        """Write the lease.

        Its time counts from before the request: by the server's clock it can only begin later.
        """
        started, now = self._clock(), datetime.now(UTC)
        document = _LeaseDocument(
            id=self._id,
            created=self._created,
            expires=now + timedelta(seconds=_SECONDS),
            seconds=_SECONDS,
            holder=holder(),
            paths=self._paths,
        )
        self._bucket.put(self.name, _FORMAT.encode(document))
        # Renewed too late is not renewed: a collector may have looked in between.
        self._lapsed = self._lapsed or self._is_late()
        self._written = started

    def _wait_for_collectors(self) -> None:
        """Wait for the end of a batch that names one of the paths."""
        watched, since = "", 0.0
        while found := self._bucket.read_tagged(SWEEP):
            batch, tag = SWEEP_FORMAT.parse(found[0], source=SWEEP), found[1]
            if not batch.touches(self._paths):
                return
            if tag != watched:
                watched, since = tag, self._clock()
                if outlived(self._bucket, tag, batch.seconds):
                    return
                self._waiting(batch)
            elif self._clock() - since > batch.seconds:
                return
            self._sleep(_POLL_SECONDS)


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
