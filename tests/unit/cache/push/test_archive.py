"""The NAR of one path on its way into the cache: its object, its parts, its memory, and its faults."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from attrs import define, evolve, field
from local_store import LocalStore, local_store
from memory_bucket import MemoryBucket, StoredObject

from nixgen.cache.format.codec import Codec
from nixgen.cache.format.nar import write_nar
from nixgen.cache.push import archive
from nixgen.cache.push.archive import FRAME, PART, NarStream, StoredNar, archive_name
from nixgen.cache.push.memory import ByteBudget
from nixgen.cache.push.settings import UploadSettings
from nixgen.driver.store.store import PathInfo
from nixgen.errors import CacheError, VerifyError
from nixgen.store.digest import Hash

SMALL_FRAME, SMALL_PART = 1 << 16, 1 << 15
"""Frames and parts as small as this make small tests; their proportion is the real one."""

NOISE = random.Random(1).randbytes(SMALL_FRAME + SMALL_PART // 4)
"""A NAR of two frames that no compression makes smaller: one part and the rest."""


@define
class Streams:
    """Streams into one bucket in memory.

    :param read: bytes that the streams told of.
    """

    local: LocalStore
    memory: MemoryBucket
    pool: ThreadPoolExecutor
    budget: ByteBudget
    read: list[int] = field(factory=list)

    def info(self, name: str) -> PathInfo:
        (info,) = self.local.store.info([self.local.paths[name]])
        return info

    def nar(self, name: str) -> bytes:
        return b"".join(write_nar(self.local.file(name)))

    def stream(
        self, settings: UploadSettings | None = None, *, stored: tuple[str, ...] = ()
    ) -> NarStream:
        return NarStream(
            store=self.local.store,
            bucket=self.memory.bucket,
            settings=settings or UploadSettings(readers=2),
            budget=self.budget,
            compress=self.pool,
            send=self.pool,
            stored=stored,
            on_read=lambda _, size: self.read.append(size),
        )

    def store(
        self, name: str, settings: UploadSettings | None = None, *, stored: tuple[str, ...] = ()
    ) -> StoredNar:
        return self.stream(settings, stored=stored).store(self.info(name)).result()

    @property
    def free(self) -> bool:
        """Whether all memory was given back."""
        return self.budget._out == 0


@pytest.fixture
def streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    bound = archive._bound(SMALL_FRAME)
    for name, value in {"FRAME": SMALL_FRAME, "PART": SMALL_PART, "_FRAME_BOUND": bound}.items():
        monkeypatch.setattr(archive, name, value)
    local = local_store(
        tmp_path, {"small": b"s" * 5000, "large": NOISE, "zeros": bytes(SMALL_FRAME + 1)}
    )
    with ThreadPoolExecutor(4) as pool:
        yield Streams(local, MemoryBucket(), pool, ByteBudget(SMALL_PART + 2 * bound))


ZSTD = Codec.of()


def test_a_small_nar_is_one_object(streams: Streams) -> None:
    nar = streams.store("small")
    name = archive_name(streams.info("small"), ZSTD)
    assert name.startswith("nar/")
    assert name.endswith(".nar.zst")
    stored = streams.memory.objects_by_name[name]
    digest = Hash.of(stored.body)
    assert stored == StoredObject(
        body=stored.body,
        content_type="application/zstd",
        digest=digest,
        metadata={"file-hash": str(digest)},
        if_absent=True,
    )
    assert zstandard.ZstdDecompressor().decompress(stored.body) == streams.nar("small")
    assert nar == StoredNar(name=name, file_hash=digest, file_size=len(stored.body), reused=False)
    assert sum(streams.read) == streams.info("small").nar_size
    assert streams.memory.calls == [("put", name)]
    assert streams.free
    assert streams.budget.peak > 5000


def test_a_repair_writes_over_what_is_there(streams: Streams) -> None:
    name = archive_name(streams.info("small"), ZSTD)
    streams.memory.objects_by_name[name] = StoredObject(body=b"damaged", content_type="x")
    nar = streams.store("small", UploadSettings(replace=True), stored=(name,))
    assert not nar.reused
    assert streams.memory.objects_by_name[name].body != b"damaged"
    assert streams.memory.calls == [("put", name)]


def there(hash_: str | None) -> StoredObject:
    return StoredObject(
        body=b"four", content_type="x", metadata={"file-hash": hash_} if hash_ else {}
    )


HASH = Hash.of(b"four")


@pytest.mark.parametrize(("known", "file_hash"), [(str(HASH), HASH), (None, None)])
@pytest.mark.parametrize("name", ["small", "large"])
def test_a_nar_that_an_interrupted_push_left_is_used(
    streams: Streams, name: str, known: str | None, file_hash: Hash | None
) -> None:
    nar = archive_name(streams.info(name), ZSTD)
    streams.memory.objects_by_name[nar] = there(known)
    assert streams.store(name, stored=(nar,)) == StoredNar(
        name=nar, file_hash=file_hash, file_size=4, reused=True
    )
    assert streams.read == []
    assert streams.memory.calls == [("head", nar)]


def test_a_nar_that_is_gone_again_is_stored(streams: Streams) -> None:
    nar = archive_name(streams.info("small"), ZSTD)
    assert not streams.store("small", stored=(nar,)).reused
    assert streams.memory.calls == [("head", nar), ("put", nar)]


@pytest.mark.parametrize("name", ["small", "large"])
def test_the_nar_of_another_push_at_the_same_time_is_used(streams: Streams, name: str) -> None:
    nar = archive_name(streams.info(name), ZSTD)
    streams.memory.appear[nar] = there(str(HASH))
    assert streams.store(name) == StoredNar(name=nar, file_hash=HASH, file_size=4, reused=True)
    assert streams.memory.aborted == ([nar] if name == "large" else [])
    assert streams.free


def test_a_nar_that_comes_and_goes_is_an_error(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryBucket, "_store", lambda *_: False)
    with pytest.raises(CacheError) as caught:
        streams.store("small")
    name = archive_name(streams.info("small"), ZSTD)
    assert caught.value.message == (
        f"cannot write {name}: it is there, and then is not; something removes objects of s3://memory"
    )
    assert caught.value.hint == "run it again, while no collector of another tool runs"
    assert streams.free


def test_a_large_nar_is_sent_in_parts(streams: Streams) -> None:
    nar = streams.store("large")
    parts = streams.memory.parts[nar.name]
    assert sorted(parts) == list(range(1, len(parts) + 1))
    assert len(parts) == 2
    assert all(len(parts[number]) >= SMALL_PART for number in range(1, len(parts)))
    stored = streams.memory.objects_by_name[nar.name]
    assert (stored.content_type, stored.if_absent) == ("application/zstd", True)
    plain = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    assert plain.decompress(stored.body) == streams.nar("large")
    assert nar == StoredNar(
        name=nar.name,
        file_hash=Hash("sha256", hashlib.sha256(stored.body).digest()),
        file_size=len(stored.body),
        reused=False,
    )
    assert sum(streams.read) == streams.info("large").nar_size
    assert streams.free
    assert streams.budget.peak <= streams.budget.size
    assert streams.memory.aborted == []


def test_a_repair_of_a_large_nar_writes_over_what_is_there(streams: Streams) -> None:
    nar = streams.store("large", UploadSettings(replace=True, readers=2))
    assert not streams.memory.objects_by_name[nar.name].if_absent


def test_a_large_nar_that_becomes_small_is_one_object(streams: Streams) -> None:
    nar = streams.store("zeros")
    assert streams.memory.calls == [("put", nar.name)]
    assert nar.file_hash == Hash.of(streams.memory.objects_by_name[nar.name].body)
    assert streams.free


def test_parts_grow_so_that_their_number_stays_below_the_limit_of_s3(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MOST_PARTS", 1)
    nar = streams.store("large", UploadSettings(readers=2, codec=Codec.of("none")))
    # the first part would otherwise end after the first frame
    assert len(streams.memory.parts[nar.name]) == 1


@pytest.mark.parametrize("method", ["part", "complete", "multipart"])
def test_a_failed_upload_is_aborted_and_gives_its_memory_back(
    streams: Streams, method: str
) -> None:
    streams.memory.fail[method] = CacheError("S3 said no")
    with pytest.raises(CacheError, match="S3 said no"):
        streams.store("large")
    assert len(streams.memory.aborted) == (0 if method == "multipart" else 1)
    assert streams.free
    assert streams.memory.objects_by_name == {}


def test_an_abort_that_fails_does_not_hide_the_error(streams: Streams) -> None:
    streams.memory.fail = {"part": CacheError("first"), "abort": CacheError("second")}
    with pytest.raises(CacheError, match="first"):
        streams.store("large")


@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.parametrize(("verify", "found"), [(True, "sha256:"), (False, "another size")])
def test_a_damaged_path_is_told_and_not_stored(
    streams: Streams, name: str, *, verify: bool, found: str
) -> None:
    info = streams.info(name)
    with streams.local.file(name).open("ab") as file:
        file.write(bytes(8))
    with pytest.raises(VerifyError) as caught:
        streams.store(name, UploadSettings(verify=verify, readers=2))
    assert caught.value.message == (
        f"{info.path} is corrupt: its bytes are not those that were built"
    )
    assert caught.value.hint == f"repair it with: nix-store --repair-path {info.path}"
    expected, actual = caught.value.details
    assert expected == f"expected {info.nar_hash}, {info.nar_size} bytes"
    assert actual.startswith(f"found    {found}")
    assert streams.memory.objects_by_name == {}
    assert streams.free


def test_equal_sizes_are_compared_by_hash_when_asked_to(streams: Streams) -> None:
    streams.local.file("small").write_bytes(b"x" * 5000)
    assert not streams.store("small").reused
    with pytest.raises(VerifyError):
        streams.store("small", UploadSettings(verify=True))
    info = evolve(streams.info("small"), nar_size=1)
    with pytest.raises(VerifyError):
        streams.stream().store(info).result()


@pytest.mark.parametrize(
    ("memory", "readers", "running", "large"),
    [
        (NarStream.LEAST_BUDGET, 8, 1, 1),
        (64 << 20, 8, 2, 1),
        (192 << 20, 8, 9, 1),
        (192 << 20, 2, 3, 3),
        (192 << 20, 1, 2, 4),
        (1 << 30, 8, 9, 6),
        (1, 8, 1, 1),
    ],
)
def test_frames_and_large_paths_at_once_follow_from_the_memory(
    streams: Streams,
    monkeypatch: pytest.MonkeyPatch,
    memory: int,
    readers: int,
    running: int,
    large: int,
) -> None:
    monkeypatch.undo()  # with the real sizes
    streams.budget = ByteBudget(memory)
    stream = streams.stream(UploadSettings(readers=readers))
    assert (stream._running, stream._large._value) == (running, large)


def test_the_least_memory_is_two_frames_and_a_part() -> None:
    bound = FRAME + FRAME // 128 + 1024
    assert PART + 2 * bound == NarStream.LEAST_BUDGET
    assert (FRAME, PART) == (16 << 20, 8 << 20)
    # S3 allows 10,000 parts of 5 MiB to 5 GiB, of an object of at most 5 TiB
    assert PART >= 5 << 20
    assert 9_000 * (PART + bound) < 5 << 40


@pytest.mark.parametrize("size", [0, 1, 1000, 128_000])
def test_the_bound_of_a_frame_is_no_less_than_any_compression_makes(size: int) -> None:
    data = random.Random(2).randbytes(size)
    for name in ("zstd", "gzip", "xz", "none"):
        assert len(Codec.of(name).compressor()(data)) <= archive._bound(size)
    assert archive._bound(size) == size + size // 128 + 1024
