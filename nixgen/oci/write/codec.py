"""Compressing a layer: independent zstd frames or gzip members of a fixed size, on all cores.

A concatenation of frames is a valid stream (RFC 8878 §3.1, RFC 1952 §2.2), so chunks are compressed in parallel
and a store path's frames can be moved to another layer unchanged. The bytes depend on the library's version and on
nothing of the machine, such as its number of cores.
"""

from __future__ import annotations

import threading
import zlib
from enum import Enum

__all__ = ["CHUNK", "Codec"]

#: Uncompressed bytes of one frame. zstd's window at level 3 is 2 MiB, so larger frames gain under 1 %.
CHUNK = 4 << 20

_LEVELS = {"zstd": 3, "gzip": 6}
_local = threading.local()


class Codec(Enum):
    """How layers are compressed. zstd is OCI; gzip is what every Docker engine reads."""

    ZSTD = "zstd"
    GZIP = "gzip"

    @property
    def media_type(self) -> str:
        return f"application/vnd.oci.image.layer.v1.tar+{self.value}"

    @property
    def identity(self) -> str:
        """Names everything that decides the compressed bytes."""
        if self is Codec.GZIP:
            return f"gzip-{_LEVELS['gzip']}-{CHUNK}-zlib-{zlib.ZLIB_RUNTIME_VERSION}"
        import zstandard

        version = ".".join(map(str, zstandard.ZSTD_VERSION))
        return f"zstd-{_LEVELS['zstd']}-{CHUNK}-libzstd-{version}"

    def compress(self, chunk: bytes) -> bytes:
        """One frame. Safe on any number of threads."""
        if self is Codec.GZIP:
            # wbits 31: a gzip member whose header has no time and no name.
            packer = zlib.compressobj(_LEVELS["gzip"], zlib.DEFLATED, 31)
            return packer.compress(chunk) + packer.flush()
        import zstandard

        compressor = getattr(_local, "zstd", None)
        if compressor is None:
            # One context a thread: a ZstdCompressor serves one call at a time.
            compressor = _local.zstd = zstandard.ZstdCompressor(level=_LEVELS["zstd"])
        packed: bytes = compressor.compress(chunk)
        return packed
