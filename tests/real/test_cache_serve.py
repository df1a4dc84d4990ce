"""The HTTP cache in front of a bucket, as Nix, curl and unknown clients see it."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.serve.embedded import embedded_s3
from nixgen.cache.serve.http import CacheServer

pytestmark = pytest.mark.real

NAR = "nar/1b2c.nar.zst"
BODY = bytes(range(256)) * 1000
KEY = "cache-1:MCowBQYDK2VwAyEAQUJDREVGR0hJSktMTU5PUFFSU1Q="
LARGE = 300_000_000


@pytest.fixture(scope="module")
def location():
    with embedded_s3() as found:
        yield attrs.evolve(found, prefix="team")


@pytest.fixture(scope="module")
def bucket(location):
    with Bucket(location, connections=4) as made:
        for name, body in {
            NAR: BODY,
            "nix-cache-info": b"StoreDir: /nix/store\n",
            "flake-registry.json": b"{}",
            "channels/shop/index.html": b"<p>shop",
            "channels/shop/nixexprs.tar.xz": b"xz",
            "nixgen/roots/prod/1.json": b"ours",
        }.items():
            made.put(name, body)
        yield made


@pytest.fixture(scope="module")
def log():
    return []


@pytest.fixture(scope="module")
def server(location, bucket, log):
    with CacheServer(location, public_keys=[KEY], log=log.append) as running:
        yield running


def ask(server, path, *, method="GET", **headers):
    """Status, headers and body; the path goes over the wire as it is."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    try:
        connection.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/nix-cache-info", "text/x-nix-cache-info"),
        (f"/{NAR}", "application/x-nix-nar"),
        ("/flake-registry.json", "application/json"),
        ("/channels/shop", "text/html; charset=utf-8"),
        ("/channels/shop/", "text/html; charset=utf-8"),
        ("/channels/shop/nixexprs.tar.xz", "application/x-xz"),
    ],
)
def test_the_objects_of_a_cache_are_served_with_their_types(server, path, kind):
    status, headers, body = ask(server, path)
    assert (status, headers["Content-Type"], headers["Content-Length"]) == (
        200,
        kind,
        str(len(body)),
    )
    status, again, nothing = ask(server, path, method="HEAD")
    assert (status, again["Content-Length"], again["ETag"], nothing) == (
        200, headers["Content-Length"], headers["ETag"], b"",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=255990-", 255_990, 255_999),
        ("bytes=-5", 255_995, 255_999),
        ("bytes=255999-999999", 255_999, 255_999),
    ],
)
def test_ranges_are_served(server, asked, first, last):
    status, headers, body = ask(server, f"/{NAR}", Range=asked)
    assert (status, body) == (206, BODY[first : last + 1])
    assert headers["Content-Range"] == f"bytes {first}-{last}/{len(BODY)}"
    assert headers["Content-Length"] == str(len(body))


def test_a_range_beyond_the_end_is_answered_with_the_size(server):
    status, headers, _ = ask(server, f"/{NAR}", Range="bytes=256000-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=x"])
def test_other_forms_of_ranges_get_the_whole_object(server, asked):
    assert ask(server, f"/{NAR}", Range=asked)[::2] == (200, BODY)


def test_a_client_with_the_current_object_gets_no_body(server):
    tag = ask(server, f"/{NAR}")[1]["ETag"]
    for tags in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, headers, body = ask(server, f"/{NAR}", If_None_Match=tags)
        assert (status, headers["ETag"], body) == (304, tag, b"")
    assert ask(server, f"/{NAR}", If_None_Match='"other"')[::2] == (200, BODY)
    assert ask(server, "/nar/none", If_None_Match="*")[0] == 404


def test_a_range_of_another_version_gets_the_whole_object(server):
    tag = ask(server, f"/{NAR}")[1]["ETag"]
    assert ask(server, f"/{NAR}", Range="bytes=0-1", If_Range=tag)[::2] == (206, BODY[:2])
    assert ask(server, f"/{NAR}", Range="bytes=0-1", If_Range='"old"')[::2] == (200, BODY)


@pytest.mark.parametrize(
    "path",
    [
        "/nixgen/roots/prod/1.json",
        "/../nixgen/roots/prod/1.json",
        "/nar/../nixgen/roots/prod/1.json",
        "/nar/%2e%2e/nixgen/roots/prod/1.json",
        "/nar%2f..%2fnixgen%2froots%2fprod%2f1.json",
        "/nar/%252e%252e/x",
        "/nar/./1b2c.nar.zst",
        "/nar//1b2c.nar.zst",
        "/channels/secret%0aline",
        "/team/nix-cache-info",
        "/nar/",
        "/nar/%00",
        "/nar/%ff",
    ],
)
def test_other_objects_are_not_served(server, path):
    status, headers, body = ask(server, path)
    assert (status, body) == (404, b"no such file\n")
    assert headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
def test_the_server_is_read_only(server, bucket, method):
    status, headers, _ = ask(server, f"/{NAR}", method=method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert bucket.head(NAR).size == len(BODY)


def test_the_page_says_how_to_use_it(server):
    body = ask(server, "/", Host="cache.example.org:80")[2].decode()
    assert "extra-substituters = http://cache.example.org:80\n" in body
    assert f"extra-trusted-public-keys = {KEY}\n" in body
    assert "evil" not in ask(server, "/", Host="evil/ <b>")[2].decode()


def test_every_request_is_logged_in_one_line(server, log):
    log.clear()
    ask(server, f"/{NAR}", Range="bytes=0-9")
    ask(server, "/nar/%0aforged")
    assert log == [f"127.0.0.1 GET /{NAR} 206 10", "127.0.0.1 GET /nar/%0Aforged 404 13"]


def test_many_clients_at_once(server):
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda _: ask(server, f"/{NAR}")[::2], range(200)))
    assert found == [(200, BODY)] * 200


# the command line


@pytest.fixture
def started(example):
    """`nixgen cache serve` in the example, and what it said."""
    children = []

    def start(*arguments):
        nixgen = example("hello")
        child = nixgen.start("cache", "serve", "--port", "0", *arguments)
        children.append(child)
        said = []
        for line in child.stderr:
            said.append(line)
            if "substituters" in line:
                break
        return child, re.search(r"http://\S+", said[-1])[0], "".join(said)

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_large_files_pass_through_in_pieces(started):
    child, url, said = started()
    to = re.search(r"--to '(\S+)'", said)[1]
    from nixgen.cache.bucket.location import CacheLocation

    with Bucket(CacheLocation.parse(to), connections=1) as bucket:
        bucket.put("nar/large", bytes(LARGE))

    def read(_):
        with urllib.request.urlopen(f"{url}/nar/large", timeout=60) as answer:
            time.sleep(0.3)  # a slow client: what is not read must not pile up
            return sum(len(part) for part in iter(lambda: answer.read(1 << 20), b""))

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(read, range(3))) == [LARGE] * 3
    status = Path(f"/proc/{child.pid}/status").read_text()
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) < 130_000


def test_ctrl_c_stops_the_server_at_once_despite_a_client_that_does_not_read(started):
    child, url, said = started()
    from nixgen.cache.bucket.location import CacheLocation

    with Bucket(CacheLocation.parse(re.search(r"--to '(\S+)'", said)[1]), connections=1) as bucket:
        bucket.put("nar/large", bytes(50_000_000))
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(b"GET /nar/large HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(15).startswith(b"HTTP/1.1 200")
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert child.wait(10) == 0
        assert time.monotonic() - began < 5, "the client is waited for no longer than that"
    assert child.stderr.read() == ""


def test_a_public_server_warns_and_logs_on_request(started):
    child, url, said = started("--host", "0.0.0.0", "--verbose", "--public-key", KEY)
    assert url.startswith("http://127.0.0.1:")
    assert f"extra-trusted-public-keys '{KEY}'" in said
    assert "whoever reaches port" in child.stderr.readline()
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{url}/nar/none", timeout=120)
    caught.value.close()
    assert child.stderr.readline() == "127.0.0.1 GET /nar/none 404 13\n"


def test_a_cache_that_cannot_be_read_is_not_served(command_line, location, tmp_path):
    nixgen = command_line(folder=tmp_path)
    address = str(attrs.evolve(location, bucket="nobody-made-it"))
    done = nixgen("cache", "serve", address, "--port", "0", expect=3)
    assert "there is no bucket nobody-made-it" in done.stderr
    assert "substituters" not in done.stderr


def test_two_servers_share_one_emulator(started, command_line):
    first, url, said = started()
    nixgen = command_line(folder=Path(f"/proc/{first.pid}/cwd").readlink())
    second = nixgen.start("cache", "serve", "--port", "0")
    try:
        assert second.stderr.readline() == said.splitlines(keepends=True)[0]
        assert url not in second.stderr.readline()
    finally:
        second.terminate()
        second.communicate(timeout=120)


def test_a_wrong_public_key_is_refused(example):
    done = example("hello")("cache", "serve", "--public-key", "nonsense", expect=2)
    assert "not a public key" in done.stderr
