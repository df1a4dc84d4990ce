"""The address of a cache."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.bucket.location import CacheLocation
from nixgen.errors import UsageError


@given(
    st.builds(
        CacheLocation,
        bucket=st.sampled_from(["cache", "my.bucket-1"]),
        prefix=st.sampled_from(["", "a", "a/b c", "ü%20?"]),
        endpoint=st.sampled_from([None, "http://127.0.0.1:9000", "https://s3.example.org"]),
        region=st.sampled_from(["us-east-1", "eu-central-1"]),
        profile=st.sampled_from([None, "ci & co"]),
        path_style=st.booleans(),
        emulator=st.booleans(),
    )
)
def test_a_written_address_is_read_unchanged(location: CacheLocation) -> None:
    assert CacheLocation.parse(str(location)) == location


def test_addresses_in_the_form_of_nix_are_read() -> None:
    location = CacheLocation.parse("s3://cache/team/?endpoint=minio.example.org:9000&scheme=http")
    assert location.endpoint == "http://minio.example.org:9000"
    assert location.path_style
    assert location.key("nix-cache-info") == "team/nix-cache-info"
    assert not CacheLocation.parse("s3://cache").path_style


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cache",
        "https://cache",
        "s3://",
        "s3://UPPER",
        "s3://cache?compresion=xz",
        "s3://cache?path-style=1",
        "s3://cache?endpoint=ftp://x",
        "s3://cache?region",
        "s3://cache/a\nb",
        "s3://cache/a%0Ab",
        "s3://cache?profile=%1b[31m",
        "s3://cache?region=x.example.org/",
    ],
)
def test_a_wrong_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        CacheLocation.parse(text)
