"""The flake registry of a cache's channels."""

from __future__ import annotations

import json

import pytest

from nixgen.cache.serve.channel import _registry
from nixgen.errors import CacheError

URL = "https://cache.example.org/channels/shop/flake.tar.gz"


def test_entries_of_others_stay_as_they_are() -> None:
    other = {
        "exact": True,
        "from": {"id": "toys", "type": "indirect"},
        "to": {"type": "path", "path": "/toys"},
    }
    old = json.dumps({"flakes": [other], "version": 2}).encode()
    made = json.loads(_registry(old, "shop", URL))
    assert made == {
        "flakes": [
            {"from": {"id": "shop", "type": "indirect"}, "to": {"type": "tarball", "url": URL}},
            other,
        ],
        "version": 2,
    }


@pytest.mark.parametrize(
    "old",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"flakes": 1}',
        b'{"flakes": [[]]}',
        b'{"flakes": [{}]}',
        b'{"flakes": [{"from": "x"}]}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_no_registry_is_refused(old: bytes) -> None:
    with pytest.raises(CacheError, match="is no flake registry"):
        _registry(old, "shop", URL)
