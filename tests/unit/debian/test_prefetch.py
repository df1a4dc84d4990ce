"""Packages are fetched from one mirror after the other, several at a time, and added to the store."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.debian import download
from nixgen.debian.lock import Locked
from nixgen.debian.mirrors import Mirrors
from nixgen.debian.prefetch import Received, prefetch
from nixgen.errors import MirrorError, StoreError
from nixgen.programs.command import Command, Completed


class Store:
    """``nix-store --add-fixed``, which notes each file."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.files: dict[str, bytes] = {}

    def run(self, command: Command) -> Completed:
        assert command.argv[:3] == ("nix-store", "--add-fixed", "sha256")
        for file in map(Path, command.argv[3:]):
            self.files[file.name] = file.read_bytes()
        return Completed(status=self.status, stderr=b"error: the disk is full")

    def lines(self, command: Command, on_line: object) -> Completed:
        raise AssertionError(command, on_line)


class Mirror(http.server.BaseHTTPRequestHandler):
    """Has the packages 0 to 29, fails below /broken, and has no package below /empty."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        _, mirror, *_, file = self.path.split("/")
        content = b"" if mirror == "broken" else content_of(file)
        self.send_response({"broken": 500, "empty": 404}.get(mirror, 200))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def content_of(name: str) -> bytes:
    return name.encode() * 1000


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(download, "PAUSES", ())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def mirrors(url: str, *names: str) -> Mirrors:
    return Mirrors(debian=tuple(f"{url}/{name}/debian" for name in names), security=(url,))


def package(name: str) -> tuple[str, Locked]:
    content = content_of(f"{name}.deb")
    locked = Locked(
        version="1",
        archive="debian",
        path=f"pool/{name}.deb",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        depends=(),
    )
    return f"{name}_1.deb", locked


WANTED = [package(str(number)) for number in range(30)]


def test_every_package_reaches_the_store_with_its_own_content(url: str) -> None:
    store, seen = Store(), list[Received]()
    prefetch(WANTED, mirrors(url, "empty", "good"), store, observe=seen.append)
    assert store.files == {f"{n}_1.deb": content_of(f"{n}.deb") for n in range(30)}
    size = sum(locked.size for _, locked in WANTED)
    assert seen[-1] == Received(done=30, wanted=30, received=size, size=size)
    assert [each.done for each in seen] == sorted(each.done for each in seen)


def test_packages_of_two_architectures_have_one_name(url: str) -> None:
    store = Store()
    name, locked = package("7")
    prefetch([(name, locked), (name, locked)], mirrors(url, "good"), store, observe=id)
    assert store.files == {name: content_of("7.deb")}


def test_a_package_that_no_mirror_has_is_left_out(url: str) -> None:
    store = Store()
    prefetch(WANTED, mirrors(url, "empty"), store, observe=id)
    assert store.files == {}


def test_mirrors_that_fail_end_the_download(url: str) -> None:
    store = Store()
    with pytest.raises(MirrorError, match="cannot be downloaded"):
        prefetch(WANTED, mirrors(url, "empty", "broken"), store, observe=id)
    assert store.files == {}


def test_a_store_that_takes_nothing_is_an_error(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        prefetch(WANTED, mirrors(url, "good"), Store(status=1), observe=id)
    assert caught.value.details == ("error: the disk is full",)
