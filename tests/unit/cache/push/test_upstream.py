"""A path is left to an upstream only with all its references; the others are pushed."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.format.narinfo import fingerprint
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.push.events import CacheEvent, UpstreamSilent
from nixgen.cache.push.upstream import Upstream, left_to_upstreams
from nixgen.driver.store.store import PathInfo
from nixgen.errors import UsageError
from nixgen.programs.observer import ignore
from nixgen.store.digest import Hash

NAR_HASH = "sha256:" + "0" * 52
KEY = SecretKey.generate("upstream-1")


def store_path(number: int) -> str:
    return f"/nix/store/{number:032d}-p{number}"


def info(number: int, references: tuple[int, ...], *keys: SecretKey) -> PathInfo:
    full = tuple(sorted(store_path(reference) for reference in references))
    text = fingerprint(store_path(number), Hash.parse(NAR_HASH), 1, full)
    return PathInfo(
        path=store_path(number),
        nar_hash=NAR_HASH,
        nar_size=1,
        references=full,
        signatures=tuple(key.sign(text) for key in keys),
    )


@st.composite
def closures(draw: st.DrawFn) -> tuple[list[PathInfo], set[str]]:
    """A closure, and the paths of it that the upstream has or has signed."""
    size = draw(st.integers(1, 12))
    infos, known = [], set()
    for number in range(size):
        references = tuple(draw(st.sets(st.integers(0, number), max_size=4)))
        how = draw(st.sampled_from(["signed", "there", "absent"]))
        infos.append(info(number, references, *([KEY] if how == "signed" else [])))
        if how != "absent":
            known.add(store_path(number))
    return infos, known


@given(closures())
def test_only_complete_closures_are_left_to_an_upstream(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[PathInfo], set[str]]
) -> None:
    infos, known = drawn
    folder = tmp_path_factory.mktemp("upstream")
    for each in infos:
        if each.path in known and not each.signatures:
            (folder / f"{Path(each.path).name[:32]}.narinfo").touch()
    upstream = Upstream(url=folder.as_uri(), public_keys=(KEY.public,))
    left = left_to_upstreams(infos, [upstream], ignore)
    closure: dict[str, set[str]] = {}
    for each in infos:
        below = [closure[other] for other in each.references if other != each.path]
        closure[each.path] = {each.path}.union(*below)
    assert left == {path for path, reached in closure.items() if reached <= known}


def test_a_signature_over_another_text_does_not_count() -> None:
    forged = attrs.evolve(info(1, ()), signatures=info(2, (), KEY).signatures)
    assert left_to_upstreams([forged], [Upstream(public_keys=(KEY.public,))], ignore) == set()


class _Handler(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_HEAD(self) -> None:
        there = self.path in (f"/cache/{1:032d}.narinfo", f"/cache/{2:032d}.narinfo")
        self.send_response(self.status if there else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_upstream_is_asked_over_http(server: http.server.ThreadingHTTPServer) -> None:
    upstream = Upstream.parse(f"http://127.0.0.1:{server.server_port}/cache/")
    infos = [info(1, ()), info(2, (1,)), info(3, (2,))]
    assert left_to_upstreams(infos, [upstream], ignore) == {store_path(1), store_path(2)}


def test_an_upstream_that_is_down_is_named_once_and_everything_is_pushed(
    server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Handler, "status", 418)
    seen: list[CacheEvent] = []
    upstream = Upstream.parse(f"http://127.0.0.1:{server.server_port}/cache")
    assert left_to_upstreams([info(1, ())], [upstream], seen.append) == set()
    closed = Upstream.parse("http://127.0.0.1:9")
    assert left_to_upstreams([info(1, ())], [closed], seen.append) == set()
    assert [event.url for event in seen if isinstance(event, UpstreamSilent)] == [
        upstream.url,
        closed.url,
    ]


@pytest.mark.parametrize("text", ["", "ftp://x", "cache.nixos.org", "name:short"])
def test_a_wrong_upstream_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="neither the address nor the public key"):
        Upstream.parse(text)
