"""The upload of many paths: what is published in which order, what is counted, and what an error leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from local_store import LocalStore, local_store
from memory_bucket import MemoryBucket, StoredObject

from nixgen.cache.format.codec import Codec
from nixgen.cache.format.names import listing_name, log_name, narinfo_name
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.archive import archive_name
from nixgen.cache.push.events import CacheEvent, NarRead, NarStored, Published
from nixgen.cache.push.settings import UploadSettings
from nixgen.cache.push.upload import Upload, Uploaded
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import CacheError, StoreError, VerifyError

KEY, OTHER = SecretKey.generate("one-1"), SecretKey.generate("two-1")
SIZES = {"library": 1_000, "app": 3, "large": 1 << 18, "below": (1 << 18) - 200}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """app → library, app → large; nothing changes it."""
    return local_store(
        tmp_path_factory.mktemp("store"),
        {name: b"x" * size for name, size in SIZES.items()},
        {"app": ["library", "large", "app"]},
    )


@pytest.fixture
def memory() -> MemoryBucket:
    return MemoryBucket()


Uploading = Callable[..., Uploaded]


@pytest.fixture
def run(shared: LocalStore, memory: MemoryBucket) -> Uploading:
    def run(
        *names: str,
        store: Store | None = None,
        infos: list[PathInfo] | None = None,
        settings: UploadSettings | None = None,
        observe: Callable[[CacheEvent], None] = lambda _: None,
        before_publishing: Callable[[], None] = lambda: None,
    ) -> Uploaded:
        known = {info.path: info for info in shared.store.closure(list(shared.paths.values()))}
        return Upload(
            missing=infos or [known[shared.paths[name]] for name in names],
            store=store or shared.store,
            bucket=memory.bucket,
            keys=[KEY, OTHER],
            settings=settings or UploadSettings(readers=2),
            observe=observe,
            before_publishing=before_publishing,
        ).run()

    return run


def narinfo(memory: MemoryBucket, path: str) -> NarInfo:
    return NarInfo.parse(memory.objects_by_name[narinfo_name(path)].body.decode())


def test_a_narinfo_describes_its_path(
    shared: LocalStore, memory: MemoryBucket, run: Uploading
) -> None:
    (app,) = shared.store.info([shared.paths["app"]])
    deriver = "/nix/store/00000000000000000000000000000000-app.drv"
    full = evolve(app, deriver=deriver, signatures=("old-1:c2ln",), ca="fixed:r:sha256:x")
    run(infos=[evolve(full, references=())])
    found = narinfo(memory, app.path)
    stored = memory.objects_by_name[found.url]
    text = memory.objects_by_name[narinfo_name(app.path)]
    assert text.content_type == "text/x-nix-narinfo"
    assert not text.if_absent
    assert text.body.decode() == (
        f"StorePath: {app.path}\nURL: {archive_name(app, Codec.of())}\nCompression: zstd\n"
        f"FileHash: {found.file_hash}\nFileSize: {len(stored.body)}\n"
        f"NarHash: {found.nar_hash}\nNarSize: {app.nar_size}\nReferences: \n"
        "Deriver: 00000000000000000000000000000000-app.drv\n"
        + "".join(f"Sig: {signature}\n" for signature in found.signatures)
        + "CA: fixed:r:sha256:x\n"
    )
    assert found.signatures[0] == "old-1:c2ln"
    assert KEY.public.verifies(found.fingerprint, found.signatures)
    assert OTHER.public.verifies(found.fingerprint, found.signatures)


def test_references_are_published_before_their_referrers(
    shared: LocalStore, memory: MemoryBucket, run: Uploading
) -> None:
    events: list[CacheEvent] = []
    result = run("library", "large", "app", observe=events.append)
    published = [event.path for event in events if isinstance(event, Published)]
    assert sorted(published) == sorted(shared.paths[name] for name in ("library", "large", "app"))
    assert published[-1] == shared.paths["app"]
    app = narinfo(memory, shared.paths["app"])
    assert set(app.references) == {path.removeprefix("/nix/store/") for path in published}
    stored = {event.path: event for event in events if isinstance(event, NarStored)}
    read = [event for event in events if isinstance(event, NarRead)]
    sizes = {info.path: info.nar_size for info in shared.store.info(published)}
    assert {path: event.nar_size for path, event in stored.items()} == sizes
    assert not any(event.reused for event in stored.values())
    assert {each.path: sum(e.size for e in read if e.path == each.path) for each in read} == sizes
    assert evolve(result, peak_memory=0) == Uploaded(
        published=3,
        reused=0,
        nar_bytes=sum(sizes.values()),
        file_bytes=sum(event.file_size for event in stored.values()),
    )
    assert result.peak_memory > SIZES["large"]


def test_two_uploads_together() -> None:
    one = Uploaded(published=1, reused=2, nar_bytes=3, file_bytes=4, peak_memory=50)
    two = Uploaded(published=10, reused=20, nar_bytes=30, file_bytes=40, peak_memory=5)
    assert one + two == Uploaded(
        published=11, reused=22, nar_bytes=33, file_bytes=44, peak_memory=50
    )
    assert Uploaded() == Uploaded(published=0, reused=0, nar_bytes=0, file_bytes=0, peak_memory=0)


def test_nothing_to_upload_asks_nothing(memory: MemoryBucket, run: Uploading) -> None:
    assert run() == Uploaded()
    assert [call for call in memory.calls if call[0] != "list"] == []


@pytest.mark.parametrize("replace", [False, True])
def test_only_nars_of_a_quarter_mebibyte_are_asked_for(
    shared: LocalStore, memory: MemoryBucket, run: Uploading, *, replace: bool
) -> None:
    large, below = shared.store.info([shared.paths[name] for name in ("large", "below")])
    large, below = sorted((large, below), key=lambda info: -info.nar_size)
    assert below.nar_size < 1 << 18 <= large.nar_size
    for info in (large, below):
        memory.objects_by_name[archive_name(info, Codec.of())] = StoredObject(
            body=b"four", content_type="x"
        )
    result = run(infos=[large, below], settings=UploadSettings(replace=replace))
    heads = [archive_name(large, Codec.of())] * 2 + [archive_name(below, Codec.of())]
    assert memory.names_of("head") == ([] if replace else sorted(heads))
    assert (result.published, result.reused) == (2, 0 if replace else 2)
    assert (result.file_bytes == 0) is not replace


def test_companions_come_before_their_narinfo(
    shared: LocalStore, memory: MemoryBucket, run: Uploading, monkeypatch: pytest.MonkeyPatch
) -> None:
    drv = "/nix/store/00000000000000000000000000000000-app.drv"
    (info,) = shared.store.info([shared.paths["library"]])
    monkeypatch.setattr(Store, "build_log", lambda _, asked: b"log" if asked == drv else None)
    every = UploadSettings(listings=True, logs=True, readers=1)
    run(infos=[evolve(info, deriver=drv)], settings=every)
    listing = memory.objects_by_name[listing_name(info.path)]
    assert json.loads(listing.body) == {
        "version": 1,
        "root": {"type": "regular", "size": 1_000, "narOffset": 96},
    }
    assert listing.content_type == "application/json"
    log = memory.objects_by_name[log_name(drv)]
    assert (log.body, log.if_absent) == (b"log", True)
    puts = [name for method, name in memory.calls if method == "put"]
    assert puts == [
        archive_name(info, Codec.of()),
        listing_name(info.path),
        log_name(drv),
        narinfo_name(info.path),
    ]
    memory.calls.clear()
    run(infos=[evolve(info, deriver=f"{drv}-without-log")], settings=every)
    run(infos=[info], settings=every)
    run(infos=[evolve(info, deriver=drv)])
    assert memory.names_of("put").count(log_name(drv)) == 0
    assert memory.names_of("put").count(listing_name(info.path)) == 2


@pytest.fixture
def damaged(tmp_path: Path) -> LocalStore:
    """app → library; app, library and other are shorter than their store says."""
    local = local_store(
        tmp_path,
        {name: name.encode() * 9 for name in ("library", "app", "other", "good")},
        {"app": ["library"]},
    )
    for name in ("library", "other"):
        local.file(name).write_bytes(b"")
    return local


def test_damaged_paths_are_left_out_and_told_together(
    damaged: LocalStore, memory: MemoryBucket, run: Uploading
) -> None:
    with pytest.raises(VerifyError) as caught:
        run(
            infos=damaged.store.closure(list(damaged.paths.values())),
            store=damaged.store,
            settings=UploadSettings(readers=1),
        )
    bad = sorted(
        f"{damaged.paths[name]} is corrupt: its bytes are not those that were built"
        for name in ("library", "other")
    )
    assert sorted(caught.value.details) == bad
    assert caught.value.message == (
        f"2 paths cannot be pushed; the first: {caught.value.details[0]}"
    )
    assert "--repair-path" in (caught.value.hint or "")
    assert [name for name in memory.objects_by_name if name.endswith(".narinfo")] == [
        narinfo_name(damaged.paths["good"])
    ]


def test_one_damaged_path_is_told_as_it_is(damaged: LocalStore, run: Uploading) -> None:
    infos = damaged.store.info([damaged.paths[name] for name in ("other", "good")])
    with pytest.raises(VerifyError) as caught:
        run(infos=infos, store=damaged.store)
    assert caught.value.message.startswith(f"{damaged.paths['other']} is corrupt")
    damaged.file("other").unlink()
    with pytest.raises(StoreError):
        run(infos=infos, store=damaged.store)


@pytest.mark.parametrize("method", ["put", "list"])
def test_an_error_of_the_cache_ends_the_upload(
    memory: MemoryBucket, run: Uploading, method: str
) -> None:
    memory.fail[method] = CacheError("S3 said no")
    if method == "list":
        memory.fail["head"] = CacheError("S3 said no")
    with pytest.raises(CacheError, match="S3 said no"):
        run("library", "large", "app")
    assert memory.objects_by_name == {}


def test_a_lease_that_is_lost_ends_the_upload_before_anything_is_published(
    memory: MemoryBucket, run: Uploading
) -> None:
    asked: list[None] = []

    def lost() -> None:
        asked.append(None)
        raise CacheError("lost")

    with pytest.raises(CacheError, match="lost"):
        run("library", before_publishing=lost)
    assert len(asked) == 1
    assert not any(name.endswith(".narinfo") for name in memory.objects_by_name)
    asked.clear()
    run("library", "large", "app", before_publishing=lambda: asked.append(None))
    assert len(asked) == 3


def test_a_step_that_cannot_begin_any_more_is_no_error(
    shared: LocalStore, memory: MemoryBucket
) -> None:
    """Another error has shut the pools down already, and is the one to be raised."""
    infos = shared.store.info([shared.paths["library"]])
    ending = Upload(
        missing=infos,
        store=shared.store,
        bucket=memory.bucket,
        keys=[KEY],
        settings=UploadSettings(readers=1),
        observe=lambda _: None,
        before_publishing=lambda: None,
    )
    for pool in (ending._readers, ending._compress, ending._send):
        pool.shutdown()
    ending._spawn(ending._readers, lambda _: None, infos[0])
    assert ending._quiet.is_set()
    assert ending._fatal is None


def test_an_observer_that_fails_ends_the_upload(run: Uploading) -> None:
    def observe(event: CacheEvent) -> None:
        if isinstance(event, NarStored):
            raise KeyError(event.path)

    with pytest.raises(KeyError):
        run("library", "app", "large", observe=observe)
