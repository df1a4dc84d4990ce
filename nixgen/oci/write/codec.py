"""The compression of a layer: independent zstd frames, or gzip members, of a fixed size.

Frames one after another are a valid stream (RFC 8878 §3.1, RFC 1952 §2.2). So frames are compressed in
parallel, and the frames of a store path can be copied into another layer. The bytes depend on the
version of the library, but not on the machine.
"""

from __future__ import annotations

import threading
import zlib
from enum import Enum

__all__ = ["CHUNK", "Codec"]

#: Uncompressed bytes of one frame. The window of zstd at level 3 is 2 MiB, so larger frames save
#: less than 1 %.
CHUNK = 4 << 20

_LEVELS = {"zstd": 3, "gzip": 6}
_local = threading.local()


class Codec(Enum):
    """A compression of layers. zstd is part of OCI; every version of Docker reads gzip."""

    ZSTD = "zstd"
    GZIP = "gzip"

    @property
    def media_type(self) -> str:
        """The media type of a layer, for manifests."""
        return f"application/vnd.oci.image.layer.v1.tar+{self.value}"

    @property
    def identity(self) -> str:
        """A text that differs whenever the compressed bytes may differ."""
        if self is Codec.GZIP:
            return f"gzip-{_LEVELS['gzip']}-{CHUNK}-zlib-{zlib.ZLIB_RUNTIME_VERSION}"
        import zstandard

        version = ".".join(map(str, zstandard.ZSTD_VERSION))
        return f"zstd-{_LEVELS['zstd']}-{CHUNK}-libzstd-{version}"

    def compress(self, chunk: bytes) -> bytes:
        """Compress one frame. Any thread may call it.

        :param chunk: the uncompressed bytes.
        """
        if self is Codec.GZIP:
            # wbits 31: a gzip member with neither time nor name in its header.
            packer = zlib.compressobj(_LEVELS["gzip"], zlib.DEFLATED, 31)
            return packer.compress(chunk) + packer.flush()
        import zstandard

        compressor = getattr(_local, "zstd", None)
        if compressor is None:
            # One context for each thread: a ZstdCompressor can serve one call at a time.
            compressor = _local.zstd = zstandard.ZstdCompressor(level=_LEVELS["zstd"])
        packed: bytes = compressor.compress(chunk)
        return packed
