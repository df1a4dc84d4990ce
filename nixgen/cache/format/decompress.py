"""Decompression of NARs: the inverse of `nixgen.cache.format.codec`, and bzip2, which is meant by a
narinfo without ``Compression``.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import zstandard

from nixgen.errors import VerifyError

__all__ = ["DECOMPRESSIONS", "decompressed"]

DECOMPRESSIONS = ("bzip2", "gzip", "none", "xz", "zstd")
"""The compressions that `decompressed` reads. Others of Nix, such as ``br`` and ``lz4``, are
rare."""

_READ = 1 << 18

# OSError and EOFError are what gzip and bzip2 raise for bytes that are not theirs, or end early.
_CORRUPT = (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error, zstandard.ZstdError)


def decompressed(compression: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a stream, with all of its concatenated frames, into pieces of at most 256 KiB.

    Memory stays small, also when a few kilobytes of zstd hold gigabytes: one piece and the format's
    window, which is 8 MiB for what nixgen writes.

    :param compression: one of `DECOMPRESSIONS`.
    :param chunks: the compressed stream, in pieces of any size.
    :raises VerifyError: the bytes are not of that format. A zstd stream that breaks off between two
        blocks is not noticed.
    """
    if compression == "none":
        yield from chunks
        return
    reader = _reader(compression, _Source(chunks))
    try:
        while piece := reader.read(_READ):
            yield piece
    except _CORRUPT as error:
        raise VerifyError(f"it is not {compression}: {error}") from error


def _reader(compression: str, source: Any) -> Any:
    match compression:
        case "zstd":
            return zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        case "xz":
            return lzma.LZMAFile(source)
        case "gzip":
            return gzip.GzipFile(fileobj=source, mode="rb")
        case _:
            return bz2.BZ2File(source)


class _Source:
    """A stream as the kind of file that decompressors need."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes, fewer only at the end of the stream.

        gzip takes a short read for the end of its header.
        """
        pieces: list[memoryview] = []
        wanted = size
        while wanted:
            if not self._left:
                self._left = memoryview(next(self._chunks, b""))
                if not self._left:
                    break
            pieces.append(self._left[:wanted])
            self._left = self._left[wanted:]
            wanted -= len(pieces[-1])
        return b"".join(pieces)

    def seekable(self) -> bool:
        return False
