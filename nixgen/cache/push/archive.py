"""Stores the NAR of one path in the cache: read, verified, compressed, hashed and sent in a single
pass, without a temporary file and with bounded memory.

A NAR of up to `FRAME` bytes is sent in one PUT. The frames of a larger one are compressed on all
cores, and sent as the parts of a multipart upload while the reading continues. The object becomes
visible only after the NAR was verified.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from typing import Any, ClassVar

from attrs import define, frozen

from nixgen.cache.bucket.bucket import Bucket, Multipart
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.names import nar_name
from nixgen.cache.format.nar import nar_frames
from nixgen.cache.push.memory import ByteBudget
from nixgen.cache.push.settings import UploadSettings
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import CacheError, VerifyError
from nixgen.store.digest import Hash

__all__ = ["FRAME", "PART", "NarStream", "StoredNar", "archive_name"]

FRAME = 1 << 24
"""Uncompressed bytes of one frame, and of the largest NAR that is sent in one PUT."""

PART = 1 << 23
"""Least bytes of one part of an upload; S3 wants at least 5 MiB."""

_MOST_PARTS = 9_000  # S3 allows 10,000
_RECENT = 64  # more parts than memory allows in transit


@frozen(kw_only=True)
class StoredNar:
    """A NAR that the cache holds durably.

    :param name: its name in the cache.
    :param file_hash: of the compressed bytes. None when an interrupted push stored it and its hash
        is not known.
    :param file_size: compressed bytes.
    :param reused: whether the cache had it already, so that nothing was sent.
    """

    name: str
    file_hash: Hash | None
    file_size: int
    reused: bool


def archive_name(info: PathInfo, codec: Codec) -> str:
    """The name of a path's NAR in the cache.

    :param info: the path.
    :param codec: the compression.
    """
    return nar_name(Hash.parse(info.nar_hash), codec.extension)


def _bound(size: int) -> int:
    """The most memory that compressing ``size`` bytes takes; see `Codec.compressor`."""
    return size + (size >> 7) + 1024


_FRAME_BOUND = _bound(FRAME)


@frozen
class _Running:
    """A frame that is being compressed.

    :param future: the compressed frame.
    :param buffer: the uncompressed frame.
    :param held: bytes of the budget that it holds.
    """

    future: Future[bytes]
    buffer: bytearray
    held: int


class _Buffers:
    """Reusable buffers of one frame each: new memory costs more than writing to old."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self) -> bytearray:
        with self._lock:
            return self._free.pop() if self._free else bytearray(FRAME)

    def give(self, buffer: bytearray) -> None:
        with self._lock:
            self._free.append(buffer)

    @contextlib.contextmanager
    def one(self) -> Iterator[bytearray]:
        buffer = self.take()
        try:
            yield buffer
        finally:
            self.give(buffer)


@define(kw_only=True, eq=False, slots=False)
class NarStream:
    """Stores NARs in one bucket; many reader threads use it at once.

    :param store: where the paths are.
    :param bucket: the cache.
    :param settings: how to upload.
    :param budget: at least `NarStream.LEAST_BUDGET` bytes.
    :param compress: runs the compression of the frames of large NARs.
    :param send: runs requests, so that no reader waits for a small one.
    :param stored: names of NARs that the cache is known to have.
    :param on_read: called with every number of bytes that was read.
    """

    LEAST_BUDGET: ClassVar[int] = PART + 2 * _FRAME_BOUND

    _store: Store
    _bucket: Bucket
    _settings: UploadSettings
    _budget: ByteBudget
    _compress: Executor
    _send: Executor
    _stored: Collection[str]
    _on_read: Callable[[PathInfo, int], None]

    def __attrs_post_init__(self) -> None:
        self._codec = self._settings.codec
        self._compressor = self._codec.compressor()
        self._buffers = _Buffers()
        # A reader of a large NAR waits for memory while it holds an unfinished part and its running
        # frames. So that readers never wait for each other without end, one frame must stay free.
        free = self._budget.size - _FRAME_BOUND
        self._running = max(1, min(self._settings.readers + 1, (free - PART) // _FRAME_BOUND))
        self._large = threading.Semaphore(max(1, free // (PART + self._running * _FRAME_BOUND)))

    def store(self, info: PathInfo) -> Future[StoredNar]:
        """Read and compress a path now.

        :param info: the path.
        :returns: a future that ends when its NAR is durable.
        :raises VerifyError: its bytes are not what the store's database says; nothing was stored.
        :raises StoreError: it cannot be read.
        :raises StoppedError: the push ends early.
        """
        name = archive_name(info, self._codec)
        if name in self._stored and not self._settings.replace and (found := self._existing(name)):
            return _done(found)
        if info.nar_size <= FRAME:
            return self._store_small(name, info)
        with self._large:
            return _done(self._store_large(name, info))

    def _store_small(self, name: str, info: PathInfo) -> Future[StoredNar]:
        held = _bound(info.nar_size)
        self._budget.acquire(held)
        try:
            with self._buffers.one() as buffer:
                (body,) = map(self._compressor, self._verified(info, lambda: buffer))
            self._budget.release(held - len(body))
            held = len(body)
            return self._send.submit(self._put, name, body)
        except BaseException:
            self._budget.release(held)
            raise

    def _existing(self, name: str) -> StoredNar | None:
        """The NAR that an earlier or another push stored; None when there is none."""
        found = self._bucket.head(name)
        if found is None:
            return None
        known = found.metadata.get("file-hash")
        return StoredNar(
            name=name,
            file_hash=Hash.parse(known) if known else None,
            file_size=found.size,
            reused=True,
        )

    def _stored_by_another(self, name: str) -> StoredNar:
        """The NAR that another push stored while we read the path.

        The narinfo must describe its bytes: ours may be compressed differently.
        """
        found = self._existing(name)
        if found is None:
            raise CacheError(
                f"cannot write {name}: it is there, and then is not; something removes objects of"
                f" {self._bucket.location}",
                hint="run it again, while no collector of another tool runs",
            )
        return found

    def _put(self, name: str, body: bytes) -> StoredNar:
        try:
            digest = Hash.of(body)
            written = self._bucket.put(
                name,
                body,
                digest=digest,
                metadata={"file-hash": str(digest)},
                if_absent=not self._settings.replace,
            )
            if not written:
                return self._stored_by_another(name)
            return StoredNar(name=name, file_hash=digest, file_size=len(body), reused=False)
        finally:
            self._budget.release(len(body))

    def _store_large(self, name: str, info: PathInfo) -> StoredNar:
        part_size = max(PART, info.nar_size // _MOST_PARTS)
        upload: Multipart | None = None
        sent: list[Future[str]] = []
        part: list[bytes] = []
        size = file_size = 0
        digest = hashlib.sha256()
        frames = self._frames(info)
        try:
            for frame in frames:
                digest.update(frame)
                part.append(frame)
                size += len(frame)
                file_size += len(frame)
                if size >= part_size:
                    # A failed part ends the upload now, not after the rest was compressed.
                    for future in sent[-_RECENT:]:
                        if future.done():
                            future.result()
                    upload = upload or self._bucket.multipart(name)
                    sent.append(self._send_part(upload, len(sent) + 1, part))
                    part, size = [], 0
            if upload is None:
                body, part = b"".join(part), []
                return self._send.submit(self._put, name, body).result()
            if part:
                sent.append(self._send_part(upload, len(sent) + 1, part))
                part = []
            tags = [future.result() for future in sent]
            written = upload.complete(tags, if_absent=not self._settings.replace)
            if not written:
                upload.abort()
                return self._stored_by_another(name)
        except BaseException:
            frames.close()
            self._budget.release(sum(map(len, part)))
            if upload is not None:
                _settle(sent)
                # The first error says more. A lifecycle rule of the bucket drops leftover parts.
                with contextlib.suppress(CacheError):
                    upload.abort()
            raise
        return StoredNar(
            name=name,
            file_hash=Hash("sha256", digest.digest()),
            file_size=file_size,
            reused=False,
        )

    def _send_part(self, upload: Multipart, number: int, part: list[bytes]) -> Future[str]:
        body = b"".join(part)
        size = len(body)
        future = self._send.submit(upload.put, number, body)
        # A callback, not a `finally` in the task: a cancelled task never runs.
        future.add_done_callback(lambda _: self._budget.release(size))
        return future

    def _frames(self, info: PathInfo) -> Generator[bytes, None, None]:
        """The compressed frames, in order. Each still holds its length of the budget."""
        running: deque[_Running] = deque()
        taken: list[tuple[bytearray, int]] = []
        left = info.nar_size

        def take() -> bytearray:
            nonlocal left
            held = _bound(min(FRAME, max(left, 0)))
            self._budget.acquire(held)
            left -= FRAME
            taken.append((self._buffers.take(), held))
            return taken[-1][0]

        try:
            for data in self._verified(info, take):
                future = self._compress.submit(self._compressor, data)
                running.append(_Running(future, *taken.pop()))
                if len(running) >= self._running or running[0].future.done():
                    yield self._next(running)
            while running:
                yield self._next(running)
        finally:
            for buffer, held in taken:
                self._buffers.give(buffer)
                self._budget.release(held)
            for each in running:
                _settle([each.future])
                self._buffers.give(each.buffer)
                self._budget.release(each.held)

    def _next(self, running: deque[_Running]) -> bytes:
        frame = running[0].future.result()
        done = running.popleft()
        self._buffers.give(done.buffer)
        self._budget.release(done.held - len(frame))
        return frame

    def _verified(self, info: PathInfo, take: Callable[[], bytearray]) -> Iterator[memoryview]:
        """The NAR in frames; at its end an error, when it is not what the store's database says."""
        digest = hashlib.sha256()
        size = 0
        for frame in nar_frames(self._store.real_path(info.path), take):
            if self._settings.verify:
                digest.update(frame)
            size += len(frame)
            if size > info.nar_size:
                break
            self._on_read(info, len(frame))
            yield frame
        actual = Hash("sha256", digest.digest())
        if size != info.nar_size or (self._settings.verify and actual != Hash.parse(info.nar_hash)):
            raise VerifyError(
                f"{info.path} is corrupt: its bytes are not those that were built",
                hint=f"repair it with: nix-store --repair-path {info.path}",
                details=(
                    f"expected {info.nar_hash}, {info.nar_size} bytes",
                    f"found    {actual if self._settings.verify else 'another size'}",
                ),
            )


def _settle(futures: Sequence[Future[Any]]) -> None:
    """Cancel the futures that have not begun, and wait for the others."""
    # A cancelled future counts as done for `wait` only once its pool has seen it.
    wait([future for future in futures if not future.cancel()])


def _done(value: StoredNar) -> Future[StoredNar]:
    future: Future[StoredNar] = Future()
    future.set_result(value)
    return future
