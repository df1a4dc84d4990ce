"""Mirrors and downloads: their order, and the errors of missing, changed and unreachable files."""

from __future__ import annotations

import hashlib
import http.server
import json
import lzma
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from nixgen.debian import apt, download
from nixgen.debian.apt import Target
from nixgen.debian.download import Absent, fetch, fetch_verified, find_absent
from nixgen.debian.index import Entry, Index, Source, open_cached
from nixgen.debian.lock import Locked
from nixgen.debian.locking import machine_mirrors, open_index
from nixgen.debian.mirrors import Mirrors, find_mirrors, mirrors_env
from nixgen.debian.standing import describe_absence
from nixgen.errors import MirrorError, MissingToolError
from nixgen.programs.command import Command, Completed


class NoApt:
    """A machine without apt and without gpgv."""

    def run(self, command: Command) -> Completed:
        raise MissingToolError(f"{command.program} is not installed")

    def lines(self, command: Command, on_line: object) -> Completed:
        raise MissingToolError(f"{command.program} is not installed")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A mirror on loopback, with the files below tmp_path/debian."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, directory=str(tmp_path), **more)  # type: ignore[arg-type, misc]

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/debian"
    server.shutdown()
    thread.join()
    server.server_close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def target(site: str, archive: str) -> Target:
    return Target(
        site=site,
        archive=archive,
        codename="bookworm",
        architecture="amd64",
        path=Path("/nowhere"),
        release=Path("/nowhere"),
    )


def put(folder: Path, path: str, data: bytes) -> str:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def mirrors(*urls: str) -> Mirrors:
    return Mirrors(debian=urls, security=tuple(f"{url}-security" for url in urls))


def test_a_mirror_in_the_variable_is_the_only_one_and_implies_security() -> None:
    found = find_mirrors(
        [target("http://apt/debian", "debian"), target("http://apt/sec/", "debian-security")],
        {"NIXGEN_DEBIAN_MIRROR": "http://mine/debian/"},
    )
    assert found.debian == ("http://mine/debian",)
    assert found.security == ("http://mine/debian-security",)
    assert json.loads(mirrors_env(found)) == {
        "debian": "http://mine/debian",
        "debian-security": "http://mine/debian-security",
    }


@pytest.mark.parametrize("environment", [{}, {"NIXGEN_DEBIAN_MIRROR": "ftp.debian.org"}])
def test_the_error_without_a_mirror_names_the_variable(environment: Mapping[str, str]) -> None:
    with pytest.raises(MirrorError) as caught:
        find_mirrors([], environment)
    assert "NIXGEN_DEBIAN_MIRROR" in (caught.value.hint or "")


def test_no_apt_and_no_mirror_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MirrorError) as caught:
        open_index("bookworm", "amd64", NoApt(), folder=tmp_path, environment={})
    assert "NIXGEN_DEBIAN_MIRROR" in (caught.value.hint or "")


def test_the_next_mirror_is_tried(served: str, tmp_path: Path) -> None:
    digest = put(tmp_path, "debian/pool/a.deb", b"right")
    dead = f"http://127.0.0.1:{closed_port()}/debian"
    data = fetch_verified(mirrors(dead, served), locked("a", 1000, digest), what="a 1")
    assert data == b"right"


def test_the_error_of_a_superseded_file_says_so(served: str) -> None:
    with pytest.raises(MirrorError) as caught:
        fetch_verified(mirrors(served), locked("gone", 1000, "0" * 64), what="gone 1")
    assert "gone 1" in caught.value.message
    assert "nixgen inputs update" in (caught.value.hint or "")


def test_the_error_of_a_changed_file_says_so(served: str, tmp_path: Path) -> None:
    put(tmp_path, "debian/pool/a.deb", b"other")
    with pytest.raises(MirrorError) as caught:
        fetch_verified(mirrors(served), locked("a", 1000, "0" * 64), what="a 1")
    assert "as it was locked" in caught.value.message


def test_the_error_of_an_unreachable_mirror_says_so() -> None:
    dead = f"http://127.0.0.1:{closed_port()}/debian"
    with pytest.raises(MirrorError) as caught:
        fetch_verified(mirrors(dead), locked("a", 1000, "0" * 64), what="a 1")
    assert "network" in (caught.value.hint or "")


class Misbehaving(http.server.BaseHTTPRequestHandler):
    """A mirror that does to every request what the first part of its path says."""

    gone: ClassVar[threading.Event]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        getattr(self, self.path.split("/")[1])()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def busy(self) -> None:
        self.answer(503)

    def portal(self) -> None:
        self.answer(200, b"<html>log in</html>", Content_Type="text/html; charset=utf-8")

    def unmarked(self) -> None:
        self.answer(200, b"\n<!DOCTYPE html><title>log in</title>")

    def truncated(self) -> None:
        self.answer(200, b"abc", Content_Length="1000")

    def circle(self) -> None:
        self.answer(302, Location=self.path)

    def file(self) -> None:
        self.answer(302, Location="file:///etc/passwd")

    def ftp(self) -> None:
        self.answer(302, Location="ftp://127.0.0.1/debian")

    def elsewhere(self) -> None:
        self.answer(302, Location="http://localhost:9/debian/pool/a.deb")

    def nothing(self) -> None:
        self.answer(204)

    def part(self) -> None:
        self.answer(206, b"abc", Content_Range="bytes 0-2/1000")

    def empty(self) -> None:
        self.answer(200, Content_Length="0")

    def endless(self) -> None:
        self.answer(200, b"x", Content_Length="9" * 5000)
        self.close_connection = True

    def terminal(self) -> None:
        self.send_response(404, "\x1b[31mred\x1b]0;title\x07")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def trickle(self) -> None:
        self.answer(200, b"x", Content_Length="1000")
        self.gone.wait()

    def silent(self) -> None:
        self.gone.wait()


@contextmanager
def serving(handler: type[Misbehaving]) -> Iterator[str]:
    handler.gone = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    handler.gone.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def misbehaving() -> Iterator[str]:
    with serving(Misbehaving) as url:
        yield url


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("busy", "503 Service Unavailable"),
        ("portal", "answered with a web page: is there a login page or a proxy in between?"),
        ("unmarked", "answered with a web page: is there a login page or a proxy in between?"),
        ("truncated", "the connection ended after 3 of 1000 bytes"),
        ("circle", "infinite loop"),
        ("file", "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("ftp", "unknown url type: ftp"),
        ("elsewhere", "redirects to http://localhost:9/debian/pool/a.deb, another server"),
        ("nothing", "answered 204 No Content, which is not a whole file"),
        ("part", "answered 206 Partial Content, which is not a whole file"),
        ("empty", "sent an empty file"),
        ("endless", "sha256 is "),
        ("terminal", "404 ?[31mred?]0;title?"),
        ("trickle", "sent 1 bytes in 0 seconds, which is too slow to go on"),
        ("silent", "timed out"),
    ],
)
def test_a_mirror_that_misbehaves_is_told_as_what_it_does(
    misbehaving: str, monkeypatch: pytest.MonkeyPatch, way: str, message: str
) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.0,))
    monkeypatch.setattr(download, "SILENCE", 0.5 if way == "silent" else 60.0)
    if way == "trickle":
        monkeypatch.setattr(download, "GRACE", 0.0)
        monkeypatch.setattr(download, "LEAST_RATE", 1 << 60)
    with pytest.raises(MirrorError) as caught:
        fetch_verified(
            mirrors(f"{misbehaving}/{way}/debian"), locked("a", 1000, "0" * 64), what="a 1"
        )
    (line,) = caught.value.details
    assert line.startswith(f"{misbehaving}/{way}/debian/pool/a.deb: ")
    assert message in line
    assert line.isprintable()


@pytest.mark.parametrize("way", ["nothing", "part", "portal", "elsewhere"])
def test_a_mirror_that_answers_without_the_file_does_not_have_a_package(
    misbehaving: str, way: str
) -> None:
    with pytest.raises(MirrorError) as caught:
        find_absent(mirrors(f"{misbehaving}/{way}/debian"), {"a": locked("a", 1000)})
    assert "does not say" in caught.value.message


def test_a_password_of_a_mirror_is_not_repeated() -> None:
    with pytest.raises(MirrorError) as caught:
        fetch(["http://ann:hunter2@127.0.0.1:1/debian/a"], what="a")
    assert "hunter2" not in str(caught.value.details)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/debian",
        "file:///srv/debian",
        "http:///debian",
        "http://127.0.0.1:99999/debian",
        "http://127.0.0.1:x/debian",
        "http://[::1/debian",
        "http://127.0.0.1/debian?x=/debian",
        "http://127.0.0.1/#/debian",
        "http://127.0.0.1/\x1b[31m/debian",
        "http://127.0.0.1/\xfc/debian",
        "http://ann:hunter2@127.0.0.1/debian",
    ],
)
def test_a_variable_that_names_no_mirror_is_refused_at_once(url: str) -> None:
    with pytest.raises(MirrorError) as caught:
        find_mirrors((), {"NIXGEN_DEBIAN_MIRROR": url})
    assert "NIXGEN_DEBIAN_MIRROR" in caught.value.message
    assert "hunter2" not in caught.value.message
    assert caught.value.message.isprintable()


def test_a_mirror_at_an_ipv6_address_is_used() -> None:
    found = find_mirrors((), {"NIXGEN_DEBIAN_MIRROR": "http://[::1]:8080/debian//"})
    assert found.debian == ("http://[::1]:8080/debian",)


def locked(name: str, size: int, sha256: str = "0" * 64) -> Locked:
    return Locked(
        version="1",
        archive="debian",
        path=f"pool/{name}.deb",
        sha256=sha256,
        size=size,
        depends=(),
    )


def test_a_larger_file_than_the_lock_says_is_not_read_to_its_end(
    served: str, tmp_path: Path
) -> None:
    digest = put(tmp_path, "debian/pool/a.deb", b"x" * 1001)
    with pytest.raises(MirrorError) as caught:
        fetch_verified(mirrors(served), locked("a", 1000, digest), what="a 1")
    assert "sends more than 1000 bytes" in caught.value.details[0]


class Busy(Misbehaving):
    """A mirror that answers the second question."""

    asked: ClassVar[int] = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.answer(*((503,) if self.asked == 1 else (200, b"right")))


def test_a_busy_mirror_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSES", (0.0,))
    with serving(Busy) as url:
        digest = hashlib.sha256(b"right").hexdigest()
        package = locked("a", 5, digest)
        assert fetch_verified(mirrors(f"{url}/debian"), package, what="a 1") == b"right"
    assert Busy.asked == 2


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ([], "gone 1 is away, and bookworm has no package of that name"),
        (["1"], "gone 1 is away, though bookworm still lists it: try again later"),
        (["1", "2"], "gone 1 was superseded by 2"),
        (["0.9", "1.10", "1.9"], "gone 1 was superseded by 1.10"),
        (["0.9", "1~rc1"], "gone 1 is not of bookworm, which has 1~rc1"),
    ],
)
def test_an_absence_has_a_reason(versions: list[str], words: str) -> None:
    entries = [
        Entry(name="gone", version=version, archive="debian", path="p", sha256="0", size=1)
        for version in versions
    ]
    with Index.in_memory(entries, suite="bookworm", architecture="amd64") as index:
        assert describe_absence(Absent("gone", locked("gone", 5), "is away"), index) == words


def test_packages_that_no_mirror_has_as_they_were_locked_are_named(
    served: str, tmp_path: Path
) -> None:
    put(tmp_path, "debian/pool/there.deb", b"12345")
    put(tmp_path, "debian/pool/other.deb", b"123")
    packages = {name: locked(name, 5) for name in ("there", "other", "gone")}
    asked: list[int] = []
    found = find_absent(mirrors(served), packages, tell=asked.append)
    assert [(each.name, each.reason) for each in found] == [
        ("gone", "is no longer on the mirror"),
        ("other", "has 3 bytes instead of 5 on the mirror"),
    ]
    assert asked == [1, 2, 3]


def test_nothing_is_called_gone_by_a_mirror_that_does_not_answer(served: str) -> None:
    dead = f"http://127.0.0.1:{closed_port()}/debian"
    with pytest.raises(MirrorError, match=r"does not say if it has pool/gone.deb"):
        find_absent(mirrors(served, dead), {"gone": locked("gone", 5)})


LIST = (
    b"Package: hello\nVersion: 1\nFilename: pool/h.deb\nSize: 1\nSHA256: aa\nProvides: greeting\n\n"
)


def publish(folder: Path, content: bytes, *, signed: bytes | None = None) -> None:
    packed = lzma.compress(signed or content)
    path = "main/binary-amd64/Packages.xz"
    digest = hashlib.sha256(packed).hexdigest()
    release = (
        f"Codename: bookworm\nMD5Sum:\n 00 1 {path}\nSHA256:\n {digest} {len(packed)} {path}\n"
    )
    put(folder, "debian/dists/bookworm/InRelease", release.encode())
    put(folder, f"debian/dists/bookworm/{path}", lzma.compress(content))


def test_an_index_is_read_from_a_mirror(served: str, tmp_path: Path) -> None:
    publish(tmp_path, LIST)
    warnings: list[str] = []
    given = {"NIXGEN_DEBIAN_MIRROR": served}
    with open_index(
        "bookworm", "amd64", NoApt(), folder=tmp_path / "c", environment=given, warn=warnings.append
    ) as index:
        assert [entry.version for entry in index.versions("hello")] == ["1"]
        assert index.providers("greeting") == ("hello",)
    assert any("signature was not checked" in line for line in warnings)
    assert any("bookworm-security is left out" in line for line in warnings)


def test_a_list_with_another_hash_is_refused(served: str, tmp_path: Path) -> None:
    publish(tmp_path, LIST, signed=b"something else")
    given = {"NIXGEN_DEBIAN_MIRROR": served}
    with pytest.raises(MirrorError, match="not what its InRelease names"):
        open_index("bookworm", "amd64", NoApt(), folder=tmp_path / "c", environment=given)
    assert not list((tmp_path / "c").iterdir())


def test_a_cached_index_is_read_instead_of_the_list(tmp_path: Path) -> None:
    def never() -> str:
        raise AssertionError

    for read in (LIST.decode, never):
        source = Source(archive="debian", digest="d1", read=read)
        with open_cached([source], suite="s", architecture="amd64", folder=tmp_path) as index:
            assert index.names() == ("hello",)


class _Apt:
    """A runner in which apt fails for a while."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def run(self, command: Command) -> Completed:
        assert command.argv[0] == "apt-get"
        self.failures -= 1
        if self.failures >= 0:
            return Completed(status=100, stdout=b"", stderr=b"E: the cache is being rebuilt\n")
        line = "http://m/debian\tDebian\tDebian\tbookworm\tamd64\tmain/binary-amd64/Packages\t/l/x_main_binary-amd64_Packages\tyes"
        return Completed(status=0, stdout=line.encode() + b"\n", stderr=b"")


def test_apt_is_run_twice_and_then_its_error_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "_PAUSE", 0)
    assert machine_mirrors(_Apt(1), {}).debian == ("http://m/debian",)
    with pytest.raises(MirrorError, match="does not say which mirrors") as caught:
        machine_mirrors(_Apt(2), {})
    assert caught.value.details == ("E: the cache is being rebuilt",)
    named = {"NIXGEN_DEBIAN_MIRROR": "http://other/debian"}
    assert machine_mirrors(_Apt(2), named).debian == ("http://other/debian",)
