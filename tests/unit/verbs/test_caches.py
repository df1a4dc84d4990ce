"""Caches that are served over HTTP, and not by this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nixgen.errors import CacheError
from nixgen.verbs.build import Substituters
from nixgen.verbs.caches import substituting_from_url

KEY = "shop-1:" + "A" * 43 + "="


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The URL of a server of the files in a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_nix_fetches_from_a_cache_that_answers(tmp_path: Path, url: str) -> None:
    (tmp_path / "nix-cache-info").write_text("StoreDir: /nix/store\n")
    expected = Substituters(urls=(url,), public_keys=(KEY,))
    assert substituting_from_url(url, [KEY]) == expected
    assert substituting_from_url(f"{url}/", [KEY]) == expected


def test_another_server_is_no_cache(url: str) -> None:
    with pytest.raises(CacheError, match=f"there is no binary cache at {url}") as caught:
        substituting_from_url(url, [KEY])
    assert caught.value.details == ("it answers with status 404",)
    assert caught.value.hint


def test_an_address_where_nothing_answers_is_no_cache() -> None:
    with pytest.raises(CacheError, match="there is no binary cache at") as caught:
        substituting_from_url("http://127.0.0.1:1", [KEY])
    assert caught.value.details
