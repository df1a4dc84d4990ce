"""The upload of paths: reader threads, request threads, and the order between them.

As many readers as there are cores read, hash and compress; many more threads wait for S3. They wait
for each other only when memory is short (`ByteBudget`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from attrs import define, evolve, field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.presence import Presence
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.listing import nar_listing
from nixgen.cache.format.names import NARS, listing_name, log_name, narinfo_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.archive import NarStream, StoredNar, archive_name
from nixgen.cache.push.events import CacheEvent, NarRead, NarStored, Observer, Published
from nixgen.cache.push.memory import ByteBudget, StoppedError
from nixgen.cache.push.order import PublishOrder
from nixgen.cache.push.settings import UploadSettings
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import NixgenError, StoreError, VerifyError, counted
from nixgen.programs.observer import ignore
from nixgen.records.rules import named
from nixgen.store.digest import Hash
from nixgen.store.path import base_name

__all__ = ["Upload", "Uploaded"]


_ASK_FROM = 1 << 18
"""The least size of a NAR for which it pays to ask whether the cache has it."""


@frozen(kw_only=True)
class Uploaded:
    """The result of an upload.

    :param published: number of paths with a new narinfo.
    :param reused: number of these paths whose NAR was in the cache already.
    :param nar_bytes: uncompressed bytes of the published paths.
    :param file_bytes: compressed bytes that were sent.
    :param peak_memory: the most bytes of `UploadSettings.memory` that were in use.
    """

    published: int = field(default=0, metadata=named("paths"))
    reused: int = 0
    nar_bytes: int = 0
    file_bytes: int = 0
    peak_memory: int = 0

    def __add__(self, other: Uploaded) -> Uploaded:
        """The result of both uploads, one after the other."""
        return Uploaded(
            published=self.published + other.published,
            reused=self.reused + other.reused,
            nar_bytes=self.nar_bytes + other.nar_bytes,
            file_bytes=self.file_bytes + other.file_bytes,
            peak_memory=max(self.peak_memory, other.peak_memory),
        )


@define(kw_only=True, eq=False, slots=False)
class Upload:
    """An upload: it stores the NAR of every path, and publishes its narinfo.

    A path that is corrupt or unreadable is left out, with all paths that refer to it. The others
    are pushed, and then the error names it. Any other error ends the upload. At every moment, each
    visible narinfo has its NAR and the narinfos of its references.

    :param missing: references before their referrers; references outside it must be in the cache.
    :param store: where the paths are.
    :param bucket: the cache.
    :param keys: every one signs.
    :param settings: how to upload.
    :param observe: receives the events.
    :param before_publishing: called before each narinfo is written; an error from it ends the
        upload.
    """

    _missing: Sequence[PathInfo]
    _store: Store
    _bucket: Bucket
    _keys: Sequence[SecretKey]
    _settings: UploadSettings
    _observe: Observer
    _before_publishing: Callable[[], None] = ignore

    def __attrs_post_init__(self) -> None:
        bucket, settings = self._bucket, self._settings
        self._infos = {info.path: info for info in self._missing}
        self._order = PublishOrder(self._missing)
        self._budget = ByteBudget(max(settings.memory, NarStream.LEAST_BUDGET))
        self._readers = ThreadPoolExecutor(settings.readers, thread_name_prefix="cache-read")
        self._compress = ThreadPoolExecutor(settings.readers, thread_name_prefix="cache-compress")
        self._send = ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-send")
        self._stream = NarStream(
            store=self._store,
            bucket=bucket,
            settings=settings,
            budget=self._budget,
            compress=self._compress,
            send=self._send,
            stored=_stored_nars(self._missing, bucket, settings),
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
        """Upload the paths.

        :raises VerifyError: the bytes of a path are not what the store's database says.
        :raises StoreError: a path cannot be read.
        :raises CacheError: S3 refuses or does not answer.
        """
        if not self._infos:
            return self._outcome
        try:
            # Counted until all are submitted, so that the count cannot reach zero in between.
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

    # Every task is counted from its submission to its end. At zero the upload is over.

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

    # The stages of one path: read → stored → publish → published.

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
        self._bucket.put(name, str(narinfo).encode())
        with self._lock:
            self._outcome += Uploaded(
                published=1,
                reused=int(nar.reused),
                nar_bytes=info.nar_size,
                file_bytes=0 if nar.reused else nar.file_size,
            )
        self._tell(Published(path=info.path))
        self._publish(self._order.published(info.path))

    def _put_companions(self, info: PathInfo) -> None:
        """Write the listing and the build log of a path.

        They come before its narinfo: later pushes skip a path that has one, and would never add
        them.
        """
        if self._settings.listings:
            name = listing_name(info.path)
            listing = nar_listing(self._store.real_path(info.path))
            self._bucket.put(name, listing)
        if self._settings.logs and info.deriver:
            log = self._store.build_log(info.deriver)
            if log is not None:
                name = log_name(info.deriver)
                self._bucket.put(name, log, if_absent=True)


def _stored_nars(
    missing: Sequence[PathInfo], bucket: Bucket, settings: UploadSettings
) -> frozenset[str]:
    """The names of large NARs that an interrupted push left in the cache.

    To send a small NAR costs less than to ask for it.
    """
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
    """One error about all paths that were left out."""
    first = broken[0]
    if len(broken) == 1:
        return first
    return type(first)(
        f"{counted(len(broken), 'path')} cannot be pushed; the first: {first.message}",
        hint=first.hint,
        details=[error.message for error in broken],
    )
