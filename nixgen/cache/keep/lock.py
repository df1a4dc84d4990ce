"""The lock of collectors: one at a time, and no deletion outside a batch that pushers can see."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import evolve

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.keep.batch import SWEEP, SWEEP_FORMAT, SweepBatch, outlived
from nixgen.cache.keep.leases import boot_clock, holder
from nixgen.errors import CacheError
from nixgen.records.times import time_text

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["BATCH_SECONDS", "SweepLock", "sweep_lock"]

#: How long others wait for a collector that died.
BATCH_SECONDS = 120.0
#: A request may take so long to fail: five seconds to connect, sixty to read. A deletion that begins
#: later than that before the end of its batch might reach the server after the end.
_REQUEST_SECONDS = 70.0


@contextlib.contextmanager
def sweep_lock(
    bucket: Bucket, *, seconds: float = BATCH_SECONDS, clock: Callable[[], float] = boot_clock
) -> Iterator[SweepLock]:
    """Be the only collector for the length of the block.

    :param bucket: of the cache.
    :param seconds: how long each batch holds; others wait so long for a collector that died.
    :param clock: seconds, also those that the computer slept.
    :raises CacheError: another collector is at work, or S3 does not answer.
    """
    lock = SweepLock(bucket, seconds=seconds, clock=clock, now=bucket.clock())
    lock.acquire()
    try:
        yield lock
    finally:
        lock.release()


class SweepLock:
    """The lock that `sweep_lock` holds: a sweep document of this process. For one thread.

    :param bucket: of the cache.
    :param seconds: how long each batch holds.
    :param clock: seconds, also those that the computer slept.
    :param now: by the server's clock.
    """

    def __init__(
        self, bucket: Bucket, *, seconds: float, clock: Callable[[], float], now: datetime
    ) -> None:
        self._bucket = bucket
        self._clock = clock
        self._batch = SweepBatch(
            owner=secrets.token_hex(8), holder=holder(), started=now, seconds=seconds
        )
        self._tag = ""
        self._written = float("-inf")

    def acquire(self) -> None:
        """Take the lock.

        :raises CacheError: another collector is at work, or S3 does not answer.
        """
        started = self._clock()
        self._put(if_absent=True)
        if not self._is_ours():
            found = self._bucket.read_tagged(SWEEP)
            if found is not None:
                other = SWEEP_FORMAT.parse(found[0], source=SWEEP)
                if not outlived(self._bucket, found[1], other.seconds):
                    raise _busy(other)
            # What a dead collector left is replaced; of two that try, one succeeds.
            self._put(if_match=found[1] if found else None, if_absent=found is None)
            self._require_ours()
        self._written = started

    def declare(
        self, paths: frozenset[str] = frozenset(), nars: frozenset[str] = frozenset()
    ) -> None:
        """Let pushers see the next batch, and hold the lock for another ``seconds``.

        :param paths: digests of the store paths whose files are about to be deleted.
        :param nars: NAR hashes in base 32 of the archives that are about to be deleted.
        :raises CacheError: the lock is lost.
        """
        started = self._clock()
        self._batch = evolve(self._batch, number=self._batch.number + 1, paths=paths, nars=nars)
        self._put(if_match=self._tag)
        self._require_ours()
        self._written = started

    def tick(self) -> None:
        """Renew the lock if it is time; call it again and again during work that deletes nothing.

        :raises CacheError: the lock is lost.
        """
        if self._clock() - self._written > self._batch.seconds / 3:
            self.declare()

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects of the batch that was declared last.

        :param names: of the objects.
        :raises CacheError: the batch is about to end, or S3 refuses.
        """
        self._bucket.delete(names, guard=self._in_time)

    def release(self) -> None:
        """Give the lock up.

        A lock that may be another's by now, or cannot be removed, is left to lapse.
        """
        with contextlib.suppress(CacheError):
            self._bucket.delete([SWEEP], guard=self._in_time)

    def _in_time(self) -> None:
        seconds = self._batch.seconds
        if self._clock() - self._written > max(seconds / 2, seconds - _REQUEST_SECONDS):
            raise _lost(self._bucket)

    def _put(self, *, if_absent: bool = False, if_match: str | None = None) -> bool:
        return self._bucket.put(
            SWEEP,
            SWEEP_FORMAT.encode(self._batch),
            if_absent=if_absent,
            if_match=if_match,
        )

    def _is_ours(self) -> bool:
        """Whether the document is the one that was put: the answer to a PUT may have been lost."""
        found = self._bucket.read_tagged(SWEEP)
        if found is None or found[0] != SWEEP_FORMAT.encode(self._batch):
            return False
        self._tag = found[1]
        return True

    def _require_ours(self) -> None:
        if not self._is_ours():
            raise _lost(self._bucket)


def _busy(other: SweepBatch) -> CacheError:
    return CacheError(
        f"another collection is at work: {other.holder}, since {time_text(other.started)}",
        hint=f"let it finish; if it has died, this works in {other.seconds:.0f} s",
    )


def _lost(bucket: Bucket) -> CacheError:
    return CacheError(
        f"the collection of {bucket.location} lost its lock: it was held up for too long, or another one took over",
        hint="run it again; what was removed so far was complete in itself",
    )
