"""The events of a push. They come from any thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

__all__ = [
    "CacheEvent",
    "CollectorAhead",
    "NarRead",
    "NarStored",
    "Observer",
    "Planned",
    "Published",
    "PushPaused",
    "UpstreamSilent",
]


@frozen(kw_only=True)
class Planned:
    """The plan is made.

    :param paths: number of paths in the closure.
    :param missing: number of paths that the cache lacks and that will be pushed.
    :param nar_bytes: uncompressed bytes of the missing paths.
    :param upstream: number of paths that are left to upstream caches.
    """

    paths: int
    missing: int
    nar_bytes: int
    upstream: int = 0


@frozen(kw_only=True)
class NarRead:
    """More bytes of a path were read.

    :param path: the store path.
    :param size: number of these bytes.
    """

    path: str
    size: int


@frozen(kw_only=True)
class NarStored:
    """The cache holds the NAR of a path durably.

    :param path: the store path.
    :param nar_size: uncompressed bytes.
    :param file_size: compressed bytes.
    :param reused: whether an interrupted push had stored it, so that nothing was sent.
    """

    path: str
    nar_size: int
    file_size: int
    reused: bool


@frozen(kw_only=True)
class Published:
    """Clients can substitute a path from now on.

    :param path: the store path.
    """

    path: str


@frozen(kw_only=True)
class UpstreamSilent:
    """An upstream cache does not answer, so everything that it may have is pushed.

    :param url: of the upstream.
    :param reason: the error.
    """

    url: str
    reason: str


@frozen(kw_only=True)
class CollectorAhead:
    """A collector is deleting some of the paths. The push continues after that.

    :param holder: the collector's computer and process.
    """

    holder: str


@frozen(kw_only=True)
class PushPaused:
    """A push during a build failed. After the build it is tried again, and a second error is
    raised.

    :param reason: the error.
    """

    reason: str


CacheEvent: TypeAlias = (
    Planned | NarRead | NarStored | Published | UpstreamSilent | CollectorAhead | PushPaused
)
Observer: TypeAlias = Callable[[CacheEvent], None]
"""Receives the events of a push."""
