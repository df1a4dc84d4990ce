"""The bucket of a cache, opened for one verb."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.project.workspace import Workspace

__all__ = ["open_bucket"]


@contextlib.contextmanager
def open_bucket(workspace: Workspace | None, cache: str | None) -> Iterator[Bucket]:
    """Open the bucket of a cache for the length of a ``with`` block.

    :param workspace: the project; None outside of one.
    :param cache: an address, or the name of a Cache of the project; None: the project's own S3.
    :raises UsageError: it is neither.
    """
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.verbs import caches

    with caches.cache_location(workspace, cache) as location, Bucket(location) as bucket:
        yield bucket
