"""The settings of an upload."""

from __future__ import annotations

import os

from attrs import field, frozen

from nixgen.cache.format.codec import Codec

__all__ = ["UploadSettings"]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@frozen(kw_only=True)
class UploadSettings:
    """The settings of an upload.

    :param codec: the compression of new NARs.
    :param verify: compare the hash of every NAR with the store's database while reading it. Sizes
        are always compared.
    :param replace: write NARs also where the cache has one of that name, to repair it.
    :param listings: also write the listing of each path (`nixgen.cache.format.listing`).
    :param logs: also write the build logs that the store has.
    :param readers: how many threads read, hash and compress.
    :param memory: bytes of NARs and of compressed data in memory at once.
    """

    codec: Codec = field(factory=Codec.of)
    verify: bool = False
    replace: bool = False
    listings: bool = False
    logs: bool = False
    readers: int = field(factory=_cores)
    memory: int = 192 << 20
