"""Fixtures of the tests of a cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.serve.embedded import embedded_s3


@pytest.fixture(scope="module")
def location() -> Iterator[CacheLocation]:
    """The address of an S3 emulator."""
    with embedded_s3() as location:
        yield location
