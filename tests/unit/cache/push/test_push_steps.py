"""The steps of a push around the upload: the cache's own description, realisations, and the report."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast, get_args

import attrs
import pytest
from memory_bucket import MemoryBucket, StoredObject

from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.keep.roots import Root
from nixgen.cache.push.events import CacheEvent, UpstreamSilent
from nixgen.cache.push.leaks import Leak, leak_error
from nixgen.cache.push.missing import PushPlan, make_plan
from nixgen.cache.push.push import PushReport, _newest_root, ensure_cache_info
from nixgen.cache.push.realisation import put_realisations, realisation_text
from nixgen.cache.push.settings import UploadSettings
from nixgen.cache.push.upload import Uploaded
from nixgen.cache.push.upstream import UpstreamCaches
from nixgen.driver.store.path_info import Realisation
from nixgen.driver.store.store import PathInfo
from nixgen.errors import CacheError
from nixgen.instant.repeated_push import LIFETIME

if TYPE_CHECKING:
    from urllib3 import PoolManager

KEY = SecretKey.generate("one-1")


@pytest.fixture
def memory() -> MemoryBucket:
    return MemoryBucket()


def test_a_new_cache_gets_its_description(memory: MemoryBucket) -> None:
    ensure_cache_info(memory.bucket, "/nix/store", create=False)
    assert memory.objects_by_name == {}
    ensure_cache_info(memory.bucket, "/nix/store")
    assert memory.objects_by_name["nix-cache-info"] == StoredObject(
        body=b"StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n",
        content_type="text/x-nix-cache-info",
    )
    memory.calls.clear()
    ensure_cache_info(memory.bucket, "/nix/store")
    assert memory.calls == [("read", "nix-cache-info")]


@pytest.mark.parametrize("text", [b"", b"StoreDir: /nix/store\n", b"no colon\n\xff: x\n"])
def test_the_description_of_another_program_is_kept(memory: MemoryBucket, text: bytes) -> None:
    memory.objects_by_name["nix-cache-info"] = StoredObject(body=text, content_type="x")
    ensure_cache_info(memory.bucket, "/nix/store")
    assert memory.objects_by_name["nix-cache-info"].body == text


def test_a_cache_of_another_store_is_refused(memory: MemoryBucket) -> None:
    text = b"Priority: 1\nStoreDir: /other: store\n"
    memory.objects_by_name["nix-cache-info"] = StoredObject(body=text, content_type="x")
    with pytest.raises(CacheError) as caught:
        ensure_cache_info(memory.bucket, "/nix/store")
    assert caught.value.message == "s3://memory holds paths of /other: store, not of /nix/store"
    assert caught.value.hint == "give this store a cache, or a prefix, of its own"


def test_the_question_after_a_push_lists_the_roots_from_its_own_on(
    memory: MemoryBucket,
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    class Client:
        def generate_presigned_url(self, method: str, **options: object) -> str:
            asked.append((method, options))
            return "https://signed.example"

    memory.client = Client()
    memory.location = CacheLocation(bucket="cache", prefix="team")
    root = Root(
        environment="staging",
        generation="20261123T203001Z-000000",
        created=datetime(2026, 11, 23, tzinfo=UTC),
        project="p",
        targets={},
    )
    key = f"team/{root.name}"
    assert _newest_root(memory.bucket, root) == ("https://signed.example", key)
    ((method, options),) = asked
    assert method == "list_objects_v2"
    assert options["Params"] == {
        "Bucket": "cache",
        "Prefix": "team/nixgen/roots/staging/",
        "StartAfter": key[:-1],
    }
    assert options["ExpiresIn"] == LIFETIME


def test_an_ordinary_push_compares_sizes_and_writes_nars_alone() -> None:
    settings = UploadSettings()
    assert (settings.verify, settings.replace, settings.listings, settings.logs) == (False,) * 4
    assert (settings.codec, settings.memory) == (Codec.of("zstd"), 192 << 20)
    assert settings.readers == len(os.sched_getaffinity(0))


def test_every_event_is_a_record() -> None:
    assert all(map(attrs.has, get_args(CacheEvent)))


@pytest.mark.parametrize("status", [200, 403, 404, 401, 402, 405, 500])
def test_the_answers_of_an_upstream(status: int) -> None:
    events: list[CacheEvent] = []
    caches = UpstreamCaches(["https://up.example"], events.append)
    asked: list[tuple[str, str]] = []

    class Http:
        def request(self, method: str, url: str) -> SimpleNamespace:
            asked.append((method, url))
            return SimpleNamespace(status=status)

    caches._http = cast("PoolManager", Http())
    has = caches.having([path("a")])
    assert has == (frozenset([path("a")]) if status == 200 else frozenset())
    assert asked == [("HEAD", f"https://up.example/{'a' * 32}.narinfo")]
    reason = f"it answers with status {status}"
    silent = [UpstreamSilent(url="https://up.example", reason=reason)]
    assert events == ([] if status in {200, 403, 404} else silent)
    caches.having([path("b")])
    assert len(asked) == (2 if not events else 1)


def sized(path: str, size: int) -> PathInfo:
    return PathInfo(path=path, nar_hash="sha256:0", nar_size=size, references=())


def report(uploaded: Uploaded | None) -> PushReport:
    return PushReport(
        cache="s3://c",
        plan=PushPlan(
            closure=3, missing=(sized("/a", 1), sized("/b", 2)), upstream=(sized("/u", 9),)
        ),
        uploaded=uploaded,
        requests=PaceStatistics(requests=5, repeated=1, throttled=2),
        question=("https://signed.example/secret", "key"),
        seconds=1.23456,
    )


def test_the_document_of_a_push() -> None:
    uploaded = Uploaded(published=2, reused=1, nar_bytes=3, file_bytes=4, peak_memory=5)
    assert report(uploaded).document() == {
        "schema": "nixgen/push/1",
        "cache": "s3://c",
        "closure": 3,
        "missing": ["/a", "/b"],
        "missingBytes": 3,
        "upstream": ["/u"],
        "upstreamBytes": 9,
        "uploaded": {
            "paths": 2,
            "reused": 1,
            "narBytes": 3,
            "fileBytes": 4,
            "peakMemory": 5,
        },
        "requests": {"requests": 5, "repeated": 1, "throttled": 2},
        "seconds": 1.235,
    }
    assert report(None).document()["uploaded"] is None


def test_the_signed_request_of_a_report_is_not_in_its_representation() -> None:
    assert "secret" not in repr(report(None))


REALISATION = Realisation(
    id="sha256:ab!out",
    path="/nix/store/00000000000000000000000000000000-x",
    signatures=("old:s",),
    dependencies={"sha256:cd!out": "/nix/store/00000000000000000000000000000001-y"},
)


def test_a_realisation_is_signed_without_its_signatures() -> None:
    bare = (
        '{"dependentRealisations":{"sha256:cd!out":"00000000000000000000000000000001-y"},'
        '"id":"sha256:ab!out","outPath":"00000000000000000000000000000000-x"}'
    )
    document = json.loads(realisation_text(REALISATION, [KEY, KEY]))
    assert document.pop("signatures") == ["old:s", KEY.sign(bare)]
    assert document == json.loads(bare)
    assert " " not in realisation_text(REALISATION, [KEY])


def test_only_missing_realisations_are_written(memory: MemoryBucket) -> None:
    assert put_realisations([REALISATION], memory.bucket, [KEY]) == 1
    assert put_realisations([REALISATION], memory.bucket, []) == 0
    ((name, stored),) = memory.objects_by_name.items()
    assert name == "realisations/sha256:ab!out.doi"
    assert stored.content_type == "application/json"
    assert stored.body.decode() == realisation_text(REALISATION, [KEY])


def info(letter: str, *references: str) -> PathInfo:
    return PathInfo(
        path=path(letter),
        nar_hash="sha256:0",
        nar_size=10,
        references=tuple(map(path, references)),
    )


def path(letter: str) -> str:
    return f"/nix/store/{letter * 32}-x"


CLOSURE = [info("a"), info("b", "a"), info("c", "b", "c"), info("d", "a")]


def test_the_cache_is_asked_from_the_roots_down(memory: MemoryBucket) -> None:
    memory.objects_by_name[f"{'b' * 32}.narinfo"] = StoredObject(body=b"", content_type="")
    plan = make_plan(CLOSURE, [path("c")], memory.bucket)
    assert memory.names_of("head") == [f"{letter * 32}.narinfo" for letter in "bc"]
    assert plan.missing == (CLOSURE[2],)
    assert (plan.closure, plan.nar_bytes, plan.upstream) == (4, 10, ())


def test_a_thorough_plan_asks_for_every_path(memory: MemoryBucket) -> None:
    memory.objects_by_name[f"{'b' * 32}.narinfo"] = StoredObject(body=b"", content_type="")
    plan = make_plan(CLOSURE, [path("c")], memory.bucket, thorough=True)
    assert plan.missing == (CLOSURE[0], CLOSURE[2], CLOSURE[3])
    assert plan.nar_bytes == 30


def test_the_error_about_leaks_counts_secrets_and_places() -> None:
    one = Leak(path="/nix/store/a", file="etc/x", secret="db")
    whole = Leak(path="/nix/store/b", file="", secret="db")
    log = Leak(path="/nix/store/c.drv", file="", secret="api")
    error = leak_error([one], {})
    assert error.message == "the value of the secret 'db' is in a store path that would be uploaded"
    assert error.hint == (
        "give it to its service with secrets=[…] instead, and change the value: "
        "the store has it (db)"
    )
    assert error.details == ("db: /nix/store/a/etc/x",)
    error = leak_error([one, whole, log], {"/nix/store/b": ["machines.web", "images.api"]})
    assert error.message == "the value of 2 secrets is in 3 files that would be uploaded"
    assert "(db, api)" in (error.hint or "")
    assert error.details == (
        "db: /nix/store/a/etc/x",
        "db: /nix/store/b, needed by machines.web, images.api",
        "api: the build log of /nix/store/c.drv",
    )
