"""The push pipeline: reader threads and request threads, and the order between them.

As many readers as cores read, hash and compress; many more threads wait for S3. Neither waits for the other, except
for memory (`ByteBudget`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from attrs import evolve, field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.presence import Presence
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.listing import nar_listing
from nixgen.cache.format.names import NARS, content_type, listing_name, log_name, narinfo_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.archive import NarStream, StoredNar, archive_name
from nixgen.cache.push.events import CacheEvent, NarRead, NarStored, Observer, Published
from nixgen.cache.push.memory import ByteBudget, StoppedError
from nixgen.cache.push.order import PublishOrder
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import NixgenError, StoreError, VerifyError
from nixgen.programs.observer import ignore
from nixgen.store.digest import Hash
from nixgen.store.path import base_name

__all__ = ["UploadSettings", "Uploaded", "upload"]


_ASK_FROM = 1 << 18
"""The NAR size from which on it pays to ask whether the cache has it."""


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@frozen(kw_only=True)
class UploadSettings:
    """How to push.

    :param verify: compare each path's NAR hash with the store's database while reading it; sizes are always compared.
    :param replace: write NARs that the cache has already, for one that holds wrong bytes.
    :param listings: also write what lies in each NAR (`nixgen.cache.format.listing`).
    :param logs: also write the build logs that the store has.
    :param readers: threads that read, hash and compress.
    :param memory: bytes of NAR and of compressed data held at once.
    """

    codec: Codec = field(factory=Codec.of)
    verify: bool = False
    replace: bool = False
    listings: bool = False
    logs: bool = False
    readers: int = field(factory=_cores)
    memory: int = 192 << 20


@frozen(kw_only=True)
class Uploaded:
    """What happened.

    :param published: paths with a new narinfo.
    :param reused: of them, those whose NAR lay in the cache already.
    :param nar_bytes: uncompressed bytes of the published paths.
    :param file_bytes: compressed bytes that were sent.
    :param peak_memory: the most bytes of `UploadSettings.memory` that were in use.
    """

    published: int = 0
    reused: int = 0
    nar_bytes: int = 0
    file_bytes: int = 0
    peak_memory: int = 0


def upload(
    missing: Sequence[PathInfo],
    *,
    store: Store,
    bucket: Bucket,
    keys: Sequence[SecretKey],
    settings: UploadSettings,
    observe: Observer,
    before_publishing: Callable[[], None] = ignore,
) -> Uploaded:
    """Store every NAR and publish every narinfo of ``missing``.

    A path that is corrupt or unreadable is left out, with all that refer to it; the others are pushed,
    and then the error names it. Any other error ends the upload; what is visible stays consistent.

    :param missing: references before their referrers; references outside it must be in the cache.
    :param before_publishing: called before each narinfo is written; what it raises ends the upload.
    :raises VerifyError: paths whose bytes are not what the store's database says.
    :raises StoreError: paths that cannot be read.
    :raises CacheError: S3 refuses or does not answer.
    """
    work = _Upload(
        missing,
        store=store,
        bucket=bucket,
        keys=keys,
        settings=settings,
        observe=observe,
        before_publishing=before_publishing,
    )
    return work.run()


class _Upload:
    def __init__(
        self,
        missing: Sequence[PathInfo],
        *,
        store: Store,
        bucket: Bucket,
        keys: Sequence[SecretKey],
        settings: UploadSettings,
        observe: Observer,
        before_publishing: Callable[[], None],
    ) -> None:
        self._infos = {info.path: info for info in missing}
        self._order = PublishOrder(missing)
        self._store = store
        self._bucket = bucket
        self._keys = keys
        self._settings = settings
        self._observe = observe
        self._before_publishing = before_publishing
        self._budget = ByteBudget(max(settings.memory, NarStream.LEAST_BUDGET))
        self._readers = ThreadPoolExecutor(settings.readers, thread_name_prefix="cache-read")
        self._compress = ThreadPoolExecutor(settings.readers, thread_name_prefix="cache-compress")
        self._send = ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-send")
        self._stream = NarStream(
            store=store,
            bucket=bucket,
            codec=settings.codec,
            budget=self._budget,
            compress=self._compress,
            cores=settings.readers,
            send=self._send,
            verify=settings.verify,
            stored=_stored(missing, bucket, settings),
            replace=settings.replace,
            on_read=lambda info, size: self._tell(NarRead(path=info.path, size=size)),
        )
        self._lock = threading.Lock()
        self._stored: dict[str, StoredNar] = {}
        self._outcome = Uploaded()
        self._broken: list[NixgenError] = []
        self._fatal: BaseException | None = None
        self._open = 0
        self._quiet = threading.Event()

    def run(self) -> Uploaded:
        if not self._infos:
            return self._outcome
        try:
            # Held open until all are submitted, so that it cannot be quiet in between.
            self._begin()
            for info in self._infos.values():
                self._spawn(self._readers, self._read, info)
            self._end(None)
            self._quiet.wait()
        except BaseException:
            self._stop(None)
            raise
        finally:
            for pool in (self._readers, self._compress, self._send):
                pool.shutdown(cancel_futures=True)
        if self._fatal is not None:
            raise self._fatal
        if self._broken:
            raise _summary(self._broken)
        return evolve(self._outcome, peak_memory=self._budget.peak)

    # Every piece of work is counted from submission to its end; at zero the upload is over.

    def _spawn(
        self, pool: ThreadPoolExecutor, work: Callable[[PathInfo], None], info: PathInfo
    ) -> None:
        self._begin()
        try:
            pool.submit(self._guarded, work, info)
        except RuntimeError:  # the pool is shut down: the upload ends early
            self._end(StoppedError())

    def _guarded(self, work: Callable[[PathInfo], None], info: PathInfo) -> None:
        error: BaseException | None = None
        try:
            if self._fatal is None:
                work(info)
        except BaseException as caught:  # noqa: BLE001 - raised again by `run`
            error = caught
        self._end(error)

    def _begin(self) -> None:
        with self._lock:
            self._open += 1

    def _end(self, error: BaseException | None) -> None:
        if isinstance(error, VerifyError | StoreError):
            with self._lock:
                self._broken.append(error)
        elif error is not None and not isinstance(error, StoppedError):
            self._stop(error)
        with self._lock:
            self._open -= 1
            if self._open == 0:
                self._quiet.set()

    def _stop(self, error: BaseException | None) -> None:
        with self._lock:
            self._fatal = self._fatal or error or StoppedError()
        self._budget.stop()

    def _tell(self, event: CacheEvent) -> None:
        with self._lock:
            self._observe(event)

    # The way of one path: read → stored → publish → published.

    def _read(self, info: PathInfo) -> None:
        self._begin()
        try:
            future = self._stream.store(info)
        except BaseException:
            self._end(None)
            raise
        future.add_done_callback(lambda done: self._nar_stored(info, done))

    def _nar_stored(self, info: PathInfo, done: Future[StoredNar]) -> None:
        error: BaseException | None = None
        try:
            nar = done.result()
            with self._lock:
                self._stored[info.path] = nar
            self._tell(
                NarStored(
                    path=info.path,
                    nar_size=info.nar_size,
                    file_size=nar.file_size,
                    reused=nar.reused,
                )
            )
            self._publish(self._order.nar_stored(info.path))
        except CancelledError:  # the pool is shut down: the upload ends early
            error = StoppedError()
        except BaseException as caught:  # noqa: BLE001 - raised again by `run`
            error = caught
        self._end(error)

    def _publish(self, paths: Sequence[str]) -> None:
        for path in paths:
            self._spawn(self._send, self._put_narinfo, self._infos[path])

    def _put_narinfo(self, info: PathInfo) -> None:
        self._put_companions(info)
        nar = self._stored.pop(info.path)
        narinfo = _narinfo(info, nar, self._settings.codec)
        narinfo = narinfo.with_signatures(*(key.sign(narinfo.fingerprint) for key in self._keys))
        self._before_publishing()
        name = narinfo_name(info.path)
        self._bucket.put(name, str(narinfo).encode(), content_type=content_type(name))
        with self._lock:
            self._outcome = evolve(
                self._outcome,
                published=self._outcome.published + 1,
                reused=self._outcome.reused + nar.reused,
                nar_bytes=self._outcome.nar_bytes + info.nar_size,
                file_bytes=self._outcome.file_bytes + (0 if nar.reused else nar.file_size),
            )
        self._tell(Published(path=info.path))
        self._publish(self._order.published(info.path))

    def _put_companions(self, info: PathInfo) -> None:
        """What people look at; before the narinfo, since nobody comes back for it once that is there."""
        if self._settings.listings:
            name = listing_name(info.path)
            listing = nar_listing(self._store.real_path(info.path))
            self._bucket.put(name, listing, content_type=content_type(name))
        if self._settings.logs and info.deriver:
            log = self._store.build_log(info.deriver)
            if log is not None:
                name = log_name(info.deriver)
                self._bucket.put(name, log, content_type=content_type(name), if_absent=True)


def _stored(
    missing: Sequence[PathInfo], bucket: Bucket, settings: UploadSettings
) -> frozenset[str]:
    """The larger NARs that an interrupted push has left; small ones cost less to send than to ask for."""
    if settings.replace:
        return frozenset()
    large = [archive_name(info, settings.codec) for info in missing if info.nar_size >= _ASK_FROM]
    return Presence(bucket, NARS).among(large)


def _narinfo(info: PathInfo, nar: StoredNar, codec: Codec) -> NarInfo:
    return NarInfo(
        store_path=info.path,
        url=nar.name,
        compression=codec.name,
        file_hash=nar.file_hash,
        file_size=nar.file_size,
        nar_hash=Hash.parse(info.nar_hash),
        nar_size=info.nar_size,
        references=tuple(map(base_name, info.references)),
        deriver=info.deriver and base_name(info.deriver),
        signatures=info.signatures,
        ca=info.ca,
    )


def _summary(broken: Sequence[NixgenError]) -> NixgenError:
    """One error for all paths that were left out."""
    first = broken[0]
    if len(broken) == 1:
        return first
    return type(first)(
        f"{len(broken)} paths cannot be pushed; the first: {first.message}",
        hint=first.hint,
        details=[error.message for error in broken],
    )
