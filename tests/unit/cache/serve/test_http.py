"""The HTTP server in front of a bucket."""

from __future__ import annotations

import http.client
import logging
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
from nixgen.cache.serve.embedded import served_at
from nixgen.cache.serve.http import CacheServer, serve_until_interrupted
from nixgen.errors import CacheError, UsageError
from nixgen.store.digest import Hash

NAR = "nar/x.nar"
BODY = bytes(range(256)) * 4096


@pytest.fixture
def bucket(location: CacheLocation) -> Iterator[Bucket]:
    bucket = Bucket(location, connections=4, attempts=1)
    bucket.put(NAR, BODY, digest=Hash.of(BODY))
    yield bucket
    bucket.close()


@pytest.fixture
def server(location: CacheLocation, bucket: Bucket) -> Iterator[CacheServer]:
    del bucket
    with CacheServer(location) as server:
        yield server


def ask(
    server: CacheServer, method: str, name: str, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    try:
        connection.request(method, f"/{name}", headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


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
def test_other_objects_are_not_served(name: str, server: CacheServer, bucket: Bucket) -> None:
    bucket.put("secret.txt", b"s")
    assert ask(server, "GET", name)[0] == 404


def test_the_server_is_read_only(server: CacheServer, bucket: Bucket) -> None:
    for method in ("PUT", "DELETE", "POST"):
        assert ask(server, method, NAR)[0] == 405
    assert bucket.read(NAR) == BODY


def test_a_range_beyond_the_end_is_416(server: CacheServer) -> None:
    assert ask(server, "GET", NAR, Range=f"bytes={len(BODY)}-")[0] == 416


def test_stopping_closes_kept_connections(location: CacheLocation) -> None:
    with CacheServer(location) as server:
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
    with pytest.raises(CacheError, match="cannot listen"), CacheServer(location, port=port):
        pass


@pytest.mark.parametrize("both", [True, False])
def test_serving_needs_exactly_one_cache(both: bool, tmp_path: Path) -> None:  # noqa: FBT001
    cache, embedded = ("s3://cache", tmp_path) if both else (None, None)
    with pytest.raises(UsageError):
        serve_until_interrupted(cache, embedded=embedded, host="127.0.0.1", port=0, announce=print)


def test_ctrl_c_stops_the_server_and_its_emulator(tmp_path: Path) -> None:
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
        bucket.put(NAR, BODY)
        with urllib.request.urlopen(f"{url}/{NAR}", timeout=120) as answer:
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


@pytest.mark.parametrize("name", ["waitress", "waitress.queue"])
def test_a_server_with_more_requests_than_threads_warns_nobody(
    location: CacheLocation, bucket: Bucket, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    del bucket
    caplog.set_level(logging.WARNING, logger=name)
    with CacheServer(location):
        logging.getLogger(name).warning("Task queue depth is 3")
        logging.getLogger(name).error("an error is still reported")
    assert caplog.messages == ["an error is still reported"]
