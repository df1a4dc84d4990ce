"""Requests to a bucket, and their errors."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.push.push import CACHE_INFO, ensure_cache_info
from nixgen.errors import CacheError
from nixgen.store.digest import Hash

NAR = "nar/x.nar"
BODY = bytes(range(256)) * 4096


@pytest.fixture
def bucket(location: CacheLocation) -> Iterator[Bucket]:
    bucket = Bucket(location, connections=4, attempts=1)
    bucket.put(NAR, BODY, digest=Hash.of(BODY))
    yield bucket
    bucket.close()


def test_a_stored_object_is_read_unchanged(bucket: Bucket) -> None:
    assert bucket.read(NAR) == BODY
    found = bucket.head(NAR)
    assert found is not None
    assert found.size == len(BODY)
    assert NAR in list(bucket.names("nar/"))
    assert bucket.head("nar/missing") is None
    assert bucket.read("nar/missing") is None


def test_parts_become_one_object_only_when_complete(bucket: Bucket) -> None:
    parts = [b"a" * (5 << 20), b"b" * (5 << 20), b"c"]
    upload = bucket.multipart("nar/parts")
    tags = [upload.put(number, part) for number, part in enumerate(parts, start=1)]
    assert bucket.head("nar/parts") is None
    upload.complete(tags)
    assert bucket.read("nar/parts") == b"".join(parts)
    other = bucket.multipart("nar/aborted")
    other.put(1, b"a")
    other.abort()
    assert bucket.head("nar/aborted") is None


def test_a_prefix_separates_caches(location: CacheLocation) -> None:
    import attrs

    inner = Bucket(attrs.evolve(location, prefix="team/a"), connections=1)
    try:
        ensure_cache_info(inner, "/nix/store")
        assert list(inner.names()) == [CACHE_INFO]
        with pytest.raises(CacheError, match="/nix/store"):
            ensure_cache_info(inner, "/other/store")
    finally:
        inner.close()


def test_a_missing_bucket_is_named(location: CacheLocation) -> None:
    import attrs

    bucket = Bucket(attrs.evolve(location, bucket="no-such"), connections=1, attempts=1)
    with pytest.raises(CacheError, match="no bucket no-such"):
        ensure_cache_info(bucket, "/nix/store")
    bucket.close()


def test_an_endpoint_that_is_down_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        bucket = Bucket(CacheLocation.embedded(endpoint), connections=1, attempts=1)
        with pytest.raises(CacheError, match=f"{endpoint} does not answer"):
            bucket.head(NAR)
        bucket.close()


def test_missing_credentials_are_named(
    location: CacheLocation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import attrs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    bucket = Bucket(attrs.evolve(location, emulator=False), connections=1, attempts=1)
    with pytest.raises(CacheError, match="no complete credentials"):
        bucket.head(NAR)
    bucket.close()
    with pytest.raises(CacheError, match="no profile nobody"):
        Bucket(attrs.evolve(location, emulator=False, profile="nobody"), connections=1)
