"""A .deb with an unsafe member is refused completely."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

import pytest
import zstandard

from nixgen.debian.archive import read_member
from nixgen.errors import VerifyError


def tar_of(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size, info.mode = len(member[1]), 0o755
                tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def deb_of(data: bytes, suffix: str = "") -> bytes:
    out = b"!<arch>\n"
    for name, content in [
        ("debian-binary", b"2.0\n"),
        ("control.tar", b"x"),
        (f"data.tar{suffix}", data),
    ]:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        out += header + content + b"\n" * (len(content) % 2)
    return out


def special(
    name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    return info


GOOD = ("./bin/busybox", b"\x7fELF program")


@pytest.mark.parametrize(
    ("suffix", "encode"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".zst", lambda data: zstandard.ZstdCompressor().compress(data)),
    ],
)
def test_every_compression_of_dpkg_is_read(suffix: str, encode: Callable[[bytes], bytes]) -> None:
    assert read_member(deb_of(encode(tar_of(GOOD)), suffix), "bin/busybox") == GOOD[1]


@pytest.mark.parametrize(
    ("evil", "message"),
    [
        ([special("/etc/passwd")], "leads out"),
        ([special("./../x")], "leads out"),
        ([special("./a/../../x")], "leads out"),
        ([special("./dev/sda", tarfile.BLKTYPE)], "device"),
        ([special("./dev/tty", tarfile.CHRTYPE)], "device"),
        ([special("./pipe", tarfile.FIFOTYPE)], "device"),
        ([special("./bin/su", mode=0o4755)], "setuid"),
        ([special("./bin/wall", mode=0o2755)], "setuid"),
        ([special("./a", tarfile.SYMTYPE, link="/etc"), special("./a/passwd")], "symbolic link"),
        ([special("./a", tarfile.LNKTYPE, link="/etc/shadow")], "leads out"),
        ([special("./a", tarfile.LNKTYPE, link="./absent")], "hard link"),
        ([special("./x"), special("./x")], "twice"),
    ],
)
def test_an_unsafe_member_is_refused(evil: list[tarfile.TarInfo], message: str) -> None:
    with pytest.raises(VerifyError, match=message):
        read_member(deb_of(tar_of(GOOD, *evil)), "bin/busybox")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda deb: deb[1:], "no .deb"),
        (lambda deb: deb[:-200], "cut off"),
        (lambda deb: deb.replace(b"data.tar ", b"data.rar "), "no data.tar"),
        (lambda deb: deb.replace(b"data.tar   ", b"data.tar.xz"), "damaged"),
        (lambda deb: deb.replace(b"data.tar   ", b"data.tar.lz"), "unknown compression"),
    ],
)
def test_a_damaged_archive_is_refused(spoil: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(VerifyError, match=message):
        read_member(spoil(deb_of(tar_of(GOOD))), "bin/busybox")


def test_a_link_is_not_read_as_a_file() -> None:
    link = special("./bin/busybox", tarfile.SYMTYPE, link="/bin/sh")
    with pytest.raises(VerifyError, match="no file"):
        read_member(deb_of(tar_of(link)), "bin/busybox")
