"""Buckets, the server in front of one, and the emulator behind it."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.push.push import CACHE_INFO, ensure_cache_info
from nixgen.cache.serve.embedded import embedded_s3, served_at
from nixgen.cache.serve.http import CacheServer, serve, serve_until_interrupted
from nixgen.errors import CacheError, UsageError
from nixgen.store.digest import Hash

NAR = "nar/x.nar"
BODY = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def location() -> Iterator[CacheLocation]:
    with embedded_s3() as location:
        yield location


@pytest.fixture
def bucket(location: CacheLocation) -> Iterator[Bucket]:
    bucket = Bucket(location, connections=4, attempts=1)
    bucket.put(NAR, BODY, content_type="application/x-nix-nar", digest=Hash.of(BODY))
    yield bucket
    bucket.close()


@pytest.fixture
def server(location: CacheLocation, bucket: Bucket) -> Iterator[CacheServer]:
    del bucket
    with serve(location) as server:
        yield server


def ask(
    server: CacheServer, method: str, name: str, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request(method, f"/{name}", headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_objects_come_back(bucket: Bucket) -> None:
    assert bucket.read(NAR) == BODY
    found = bucket.head(NAR)
    assert found is not None
    assert found.size == len(BODY)
    assert NAR in list(bucket.names("nar/"))
    assert bucket.head("nar/missing") is None
    assert bucket.read("nar/missing") is None


def test_parts_become_one_object_only_when_complete(bucket: Bucket) -> None:
    parts = [b"a" * (5 << 20), b"b" * (5 << 20), b"c"]
    upload = bucket.multipart("nar/parts", content_type="x/y")
    tags = [upload.put(number, part) for number, part in enumerate(parts, start=1)]
    assert bucket.head("nar/parts") is None
    upload.complete(tags)
    assert bucket.read("nar/parts") == b"".join(parts)
    other = bucket.multipart("nar/aborted", content_type="x/y")
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


def test_files_are_served_whole_and_in_ranges(server: CacheServer) -> None:
    status, headers, body = ask(server, "GET", NAR)
    assert (status, body) == (200, BODY)
    assert headers["Content-Length"] == str(len(BODY))
    status, headers, body = ask(server, "GET", NAR, Range="bytes=10-19")
    assert (status, body) == (206, BODY[10:20])
    assert headers["Content-Range"] == f"bytes 10-19/{len(BODY)}"
    status, _, body = ask(server, "GET", NAR, Range="bytes=-5")
    assert (status, body) == (206, BODY[-5:])


def test_head_has_the_size_and_no_body(server: CacheServer) -> None:
    status, headers, body = ask(server, "HEAD", NAR)
    assert (status, headers["Content-Length"], body) == (200, str(len(BODY)), b"")
    assert ask(server, "HEAD", "nar/missing")[0] == 404


@pytest.mark.parametrize(
    "name", ["nar/missing", f"{'a' * 32}.narinfo", "secret.txt", "nar/../secret.txt", "nar/"]
)
def test_everything_else_is_missing(name: str, server: CacheServer, bucket: Bucket) -> None:
    bucket.put("secret.txt", b"s", content_type="text/plain")
    assert ask(server, "GET", name)[0] == 404


def test_it_is_read_only(server: CacheServer, bucket: Bucket) -> None:
    for method in ("PUT", "DELETE", "POST"):
        assert ask(server, method, NAR)[0] == 405
    assert bucket.read(NAR) == BODY


def test_a_range_beyond_the_end_is_416(server: CacheServer) -> None:
    assert ask(server, "GET", NAR, Range=f"bytes={len(BODY)}-")[0] == 416


def test_stopping_closes_kept_connections(location: CacheLocation) -> None:
    with serve(location) as server:
        port = urlsplit(server.url).port
        assert port is not None
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        # an answer shows that the server itself has the connection, not only the kernel's queue
        kept.request("GET", "/")
        assert kept.getresponse().read()
        assert kept.sock is not None
    assert kept.sock.recv(1) == b""
    kept.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_taken_port_is_an_error(server: CacheServer, location: CacheLocation) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    with pytest.raises(CacheError, match="cannot listen"), serve(location, port=port):
        pass


def test_a_directory_keeps_the_emulators_objects(tmp_path: Path) -> None:
    with embedded_s3(tmp_path) as location:
        bucket = Bucket(location, connections=1)
        bucket.put("nar/kept", b"kept", content_type="x/y")
        upload = bucket.multipart("nar/parts", content_type="x/y")
        upload.complete([upload.put(1, b"parts")])
        bucket.close()
    with embedded_s3(tmp_path) as location:
        bucket = Bucket(location, connections=1)
        assert sorted(bucket.names()) == ["nar/kept", "nar/parts"]
        assert bucket.read("nar/parts") == b"parts"
        bucket.close()


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


def test_missing_credentials_are_said(
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


@pytest.mark.parametrize("both", [True, False])
def test_serving_wants_one_cache(both: bool, tmp_path: Path) -> None:  # noqa: FBT001
    cache, embedded = ("s3://cache", tmp_path) if both else (None, None)
    with pytest.raises(UsageError):
        serve_until_interrupted(cache, embedded=embedded, host="127.0.0.1", port=0, announce=print)


def test_ctrl_c_ends_the_embedded_cache_in_order(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "import nixgen.cache.serve.http as module\n"
        "module.serve_until_interrupted(None, embedded=pathlib.Path(sys.argv[1]), host='127.0.0.1',"
        " port=0, announce=lambda line: print(line, flush=True))\n"
        "print('ended', flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        pushed_to = child.stdout.readline()
        url = child.stdout.readline().split()[-1]
        location = CacheLocation.parse(pushed_to.split("'")[1])
        assert served_at(tmp_path) == location
        assert served_at(tmp_path / "another") is None
        bucket = Bucket(location, connections=1, attempts=1)
        bucket.put(NAR, BODY, content_type="x/y")
        with urllib.request.urlopen(f"{url}/{NAR}", timeout=10) as answer:
            assert answer.read() == BODY
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == "ended\n"
        assert child.wait(10) == 0
    assert served_at(tmp_path) is None
    with pytest.raises(CacheError, match="does not answer") as caught:
        bucket.head(NAR)
    assert "nixgen cache serve --embedded" in (caught.value.hint or "")
    bucket.close()
    assert (tmp_path / "nixgen-cache" / NAR).read_bytes() == BODY
