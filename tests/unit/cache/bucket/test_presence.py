"""Presence: HEAD requests and listings give the same answer, and the cheaper way is taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.bucket.bucket import ObjectInfo
from nixgen.cache.bucket.presence import Presence

ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
HASHES = st.text(ALPHABET, min_size=32, max_size=32)


class Shelf:
    """Objects in memory, with a count of the requests that a bucket would need."""

    connections = 8

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self.heads = self.pages = 0
        self._lock = threading.Lock()

    def head(self, name: str) -> ObjectInfo | None:
        with self._lock:
            self.heads += 1
        return self._info(name) if name in self.names else None

    def objects(self, prefix: str, *, after: str, flat: bool) -> Iterator[ObjectInfo]:
        assert flat
        listed = sorted(
            name
            for name in self.names
            if name.startswith(prefix) and name > after and "/" not in name[len(prefix) :]
        )
        for count, name in enumerate(listed):
            if count % 1000 == 0:
                with self._lock:
                    self.pages += 1
            yield self._info(name)
        if len(listed) % 1000 == 0:
            with self._lock:
                self.pages += 1

    @staticmethod
    def _info(name: str) -> ObjectInfo:
        return ObjectInfo(name=name, size=1, modified=datetime(2026, 1, 1, tzinfo=UTC), etag="x")


def spread(count: int, salt: int = 0) -> list[str]:
    """Narinfo names with evenly spread hashes, always the same."""
    import hashlib

    def name(number: int) -> str:
        digest = hashlib.sha256(b"%d %d" % (salt, number)).digest()
        return "".join(ALPHABET[byte & 31] for byte in digest) + ".narinfo"

    return [name(number) for number in range(count)]


@given(st.sets(HASHES, max_size=60), st.sets(HASHES, max_size=60))
def test_the_answer_equals_the_content_of_the_cache(there: set[str], asked: set[str]) -> None:
    shelf = Shelf({f"{name}.narinfo" for name in there} | {"nix-cache-info", "nar/x.nar.zst"})
    wanted = {f"{name}.narinfo" for name in asked | set(sorted(there)[:20])}
    assert Presence(shelf).among(wanted) == wanted & shelf.names


@pytest.mark.parametrize("held", [0, 999, 1000, 1001, 5000])
def test_many_paths_in_a_small_cache_cost_few_requests(held: int) -> None:
    wanted = spread(2000)
    shelf = Shelf({*wanted[: held // 2], *spread(held - held // 2, salt=1)})
    assert Presence(shelf).among(wanted) == set(wanted) & shelf.names
    assert shelf.heads == 0
    # every shard ends inside a page
    assert shelf.pages <= held / 1000 + 10


def test_few_paths_in_a_large_cache_cost_one_head_request_each() -> None:
    wanted = spread(100)
    shelf = Shelf({*wanted[:50], *spread(200_000, salt=1)})
    assert Presence(shelf).among(wanted) == set(wanted[:50])
    assert shelf.pages == 1
    assert 90 <= shelf.heads <= 100


def test_names_in_a_folder_are_found() -> None:
    wanted = [f"nar/{name}" for name in spread(1500)]
    shelf = Shelf({*wanted[:700], *(f"nar/{name}" for name in spread(3000, 1)), *spread(5000, 2)})
    assert Presence(shelf, "nar/").among(wanted) == set(wanted[:700])
    assert shelf.heads == 0
    assert shelf.pages <= 14


def test_very_few_paths_cost_no_listing() -> None:
    wanted = spread(5)
    shelf = Shelf(set(wanted[:2]))
    presence = Presence(shelf)
    assert presence.among(wanted) == set(wanted[:2])
    assert presence.among(wanted) == set(wanted[:2])
    assert (shelf.pages, shelf.heads) == (0, 5), "answers are remembered"
