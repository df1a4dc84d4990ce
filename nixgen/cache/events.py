"""What a push tells whoever watches it. Events may come from any thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

__all__ = ["CacheEvent", "NarRead", "NarStored", "Observer", "Planned", "Published"]


@frozen(kw_only=True)
class Planned:
    """The work is known.

    :param paths: in the closure.
    :param missing: of them, what the cache lacks.
    :param nar_bytes: uncompressed bytes of the missing ones.
    """

    paths: int
    missing: int
    nar_bytes: int


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


CacheEvent: TypeAlias = Planned | NarRead | NarStored | Published
Observer: TypeAlias = Callable[[CacheEvent], None]
