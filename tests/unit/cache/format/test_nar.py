"""NARs and codecs, without Nix: bytes, limits and errors."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.format.codec import CODECS, Codec
from nixgen.cache.format.nar import write_nar
from nixgen.errors import StoreError, UsageError


def nar_string(value: bytes) -> bytes:
    return len(value).to_bytes(8, "little") + value + bytes(-len(value) % 8)


def test_a_small_file_has_the_bytes_of_the_format(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"hello")
    words = (b"nix-archive-1", b"(", b"type", b"regular", b"contents", b"hello", b")")
    assert b"".join(write_nar(tmp_path / "f")) == b"".join(map(nar_string, words))


def test_chunks_have_their_size_and_do_not_change_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(100_003))
    for number in range(50):
        (tmp_path / f"small{number}").write_bytes(b"x" * number)
    whole = b"".join(write_nar(tmp_path))
    chunks = list(write_nar(tmp_path, chunk=1000))
    assert b"".join(chunks) == whole
    assert {len(chunk) for chunk in chunks[:-1]} <= {1000}
    assert 0 < len(chunks[-1]) <= 1000


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [make_fifo, make_socket])
def test_a_file_that_a_nar_cannot_hold_is_refused_by_name(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "odd")
    with pytest.raises(StoreError, match="odd is not a file, directory or symlink"):
        list(write_nar(tmp_path))


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="gone: No such file"):
        list(write_nar(tmp_path / "gone"))


@pytest.mark.parametrize("grow", [True, False])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, grow: bool) -> None:  # noqa: FBT001
    file = tmp_path / "f"
    file.write_bytes(b"x" * 200_000)
    pieces = write_nar(file, chunk=1000)
    next(pieces)
    os.truncate(file, 400_000 if grow else 100_000)
    with pytest.raises(StoreError, match="changed while it was read"):
        list(pieces)


def decompress(name: str, data: bytes) -> bytes:
    match name:
        case "zstd":
            reader = zstandard.ZstdDecompressor().stream_reader(
                io.BytesIO(data), read_across_frames=True
            )
            return reader.read()
        case "xz":
            return lzma.decompress(data)
        case "gzip":
            return gzip.decompress(data)
    return data


@pytest.mark.parametrize("name", CODECS)
@given(frames=st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=3))
def test_concatenated_frames_of_every_codec_are_one_file(name: str, frames: list[bytes]) -> None:
    compress = Codec.of(name).compressor()
    assert decompress(name, b"".join(map(compress, frames))) == b"".join(frames)


@pytest.mark.parametrize("name", CODECS)
def test_a_frame_is_at_most_a_little_larger_than_its_input(name: str) -> None:
    data = os.urandom(1 << 20)
    assert len(Codec.of(name).compressor()(data)) <= len(data) + len(data) // 128 + 1024


@pytest.mark.parametrize(
    ("name", "level"), [("brotli", None), ("zstd", 0), ("xz", 10), ("none", 1)]
)
def test_unknown_codecs_and_levels_are_refused(name: str, level: int | None) -> None:
    with pytest.raises(UsageError):
        Codec.of(name, level)
