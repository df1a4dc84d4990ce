"""Caches: the compression and its level fit together."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from nixgen.cache.format.codec import CODECS, Codec
from nixgen.errors import UsageError
from nixgen.models import Cache, Project, Upstream, check
from nixgen.models.cache import Compression


def cache(compression: Compression, level: int | None) -> Project:
    return Project("p", caches=[Cache("c", "s3://bucket", compression=compression, level=level)])


def test_caches_offer_every_compression_that_archives_have() -> None:
    assert get_args(Compression) == CODECS


@pytest.mark.parametrize("compression", get_args(Compression))
def test_a_level_is_accepted_when_the_compression_has_it(compression: Compression) -> None:
    for level in (None, *range(-1, 25)):
        try:
            Codec.of(compression, level)
        except UsageError:
            known = False
        else:
            known = True
        assert (check(cache(compression, level)) == ()) is known, level


@pytest.mark.parametrize(
    ("compression", "level", "message", "hint"),
    [
        ("xz", 19, "xz has no level 19", "use 0 to 9"),
        ("zstd", 0, "zstd has no level 0", "use 1 to 19"),
        ("none", 3, "none has no level 3", "leave it out"),
    ],
)
def test_a_level_that_the_compression_lacks_is_a_problem_of_the_cache(
    compression: Compression, level: int, message: str, hint: str
) -> None:
    (problem,) = check(cache(compression, level))
    assert problem.path == "caches.c.level"
    assert (problem.message, problem.hint) == (message, hint)
    assert __file__ in (problem.where or "")


@pytest.mark.parametrize("mark", ["#", " ", "\n", "\x1b", "\u2028"])
def test_what_a_setting_of_nix_would_read_otherwise_is_refused(mark: str) -> None:
    fields: dict[str, Any] = {
        "public_keys": [f"a{mark}b:{'A' * 43}="],
        "upstreams": [Upstream(f"https://example.org/a{mark}b")],
    }
    for name, value in fields.items():
        (problem,) = check(Project("p", caches=[Cache("c", "s3://bucket", **{name: value})]))
        assert problem.path.startswith(f"caches.c.{name}[0]")
    (problem,) = check(Project("p", caches=[Cache("c", f"s3://bucket/a{mark}b")]))
    assert problem.path == "caches.c.address"
