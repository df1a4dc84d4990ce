"""Reading compressed NARs back: the inverse of `nixgen.cache.format.codec`, and bzip2, which a narinfo without ``Compression`` means."""

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
"""What `decompressed` reads. Nix knows more, such as ``br`` and ``lz4``, which hardly anybody writes."""

_READ = 1 << 18

# OSError and EOFError are what gzip and bzip2 raise for bytes that are not theirs, or end early.
_CORRUPT = (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error, zstandard.ZstdError)


def decompressed(compression: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of ``chunks``, in pieces of at most 256 KiB, whatever they expand to: a few kilobytes of zstd can hold gigabytes.

    Memory is that of one piece and of the format's window: 8 MiB for what nixgen writes. All of the concatenated frames are read.

    :param compression: one of `DECOMPRESSIONS`.
    :raises VerifyError: the bytes are not of that format. A zstd that breaks off between two blocks just ends.
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
    """The little of a file that decompressors ask for."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Fewer bytes than ``size`` only at the end: gzip takes a short read of its header for one."""
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
