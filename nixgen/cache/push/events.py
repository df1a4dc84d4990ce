"""What a push tells whoever watches it. Events may come from any thread, one at a time."""

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
    """The work is known.

    :param paths: in the closure.
    :param missing: of them, what the cache lacks.
    :param nar_bytes: uncompressed bytes of the missing ones.
    :param upstream: paths that are left to upstream caches.
    """

    paths: int
    missing: int
    nar_bytes: int
    upstream: int = 0


@frozen(kw_only=True)
class NarRead:
    """``size`` more bytes of ``path`` were read, hashed and handed to compression."""

    path: str
    size: int


@frozen(kw_only=True)
class NarStored:
    """The NAR of ``path`` is durable.

    :param nar_size: uncompressed bytes.
    :param file_size: bytes that lie in the cache.
    :param reused: an interrupted push had stored it; nothing was sent.
    """

    path: str
    nar_size: int
    file_size: int
    reused: bool


@frozen(kw_only=True)
class Published:
    """Clients can substitute ``path`` from now on."""

    path: str


@frozen(kw_only=True)
class UpstreamSilent:
    """An upstream does not answer; everything that it may have is pushed."""

    url: str
    reason: str


@frozen(kw_only=True)
class CollectorAhead:
    """A collector is deleting some of the paths; the push goes on when it is done with them.

    :param holder: its computer and process.
    """

    holder: str


@frozen(kw_only=True)
class PushPaused:
    """A push beside a build failed; what is left is pushed after the build, or the failure told."""

    reason: str


CacheEvent: TypeAlias = (
    Planned | NarRead | NarStored | Published | UpstreamSilent | CollectorAhead | PushPaused
)
Observer: TypeAlias = Callable[[CacheEvent], None]
