"""Read one file of a .deb that may be malicious.

A .deb is an ar archive with a tar in it (deb(5)). This module writes nothing to the disk, and
follows no link. It refuses a whole archive if a member leads out of the folder, or is a device or a
setuid program.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from nixgen.errors import VerifyError

__all__ = ["data_tar", "read_member", "safe_members"]

_MAGIC = b"!<arch>\n"
_HEADER = 60
#: The mode bits setuid and setgid.
_SETID = 0o6000
#: The most bytes of an unpacked archive. busybox has 2 MB; a much larger one is an attack.
_LIMIT = 512 * 1024 * 1024


def _unzstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(data, max_output_size=_LIMIT)


def _unxz(data: bytes) -> bytes:
    return lzma.LZMADecompressor(memlimit=_LIMIT).decompress(data, max_length=_LIMIT)


def _ungzip(data: bytes) -> bytes:
    with gzip.open(io.BytesIO(data)) as file:
        return file.read(_LIMIT)


_DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": _ungzip,
    ".xz": _unxz,
    ".zst": _unzstd,
}


def _members(deb: bytes) -> Iterator[tuple[str, bytes]]:
    """The names and contents of an ar archive. deb(5) has neither long names nor symbol tables."""
    if not deb.startswith(_MAGIC):
        raise VerifyError("this is no .deb: it does not begin like an ar archive")
    position = len(_MAGIC)
    while position + _HEADER <= len(deb):
        header = deb[position : position + _HEADER]
        if header[58:] != b"`\n":
            raise VerifyError("this .deb is damaged: a member has no header")
        try:
            size = int(header[48:58])
        except ValueError:
            raise VerifyError("this .deb is damaged: a member has no size") from None
        start = position + _HEADER
        if size < 0 or start + size > len(deb):
            raise VerifyError("this .deb is cut off")
        yield (
            header[:16].decode("ascii", "replace").rstrip(" ").rstrip("/"),
            deb[start : start + size],
        )
        position = start + size + size % 2


def data_tar(deb: bytes) -> tarfile.TarFile:
    """The tar with the files of a package.

    :param deb: the .deb.
    :raises VerifyError: it is no .deb, is damaged, or has a compression that dpkg does not know.
    """
    for name, content in _members(deb):
        if not name.startswith("data.tar"):
            continue
        decode = _DECODERS.get(name.removeprefix("data.tar"))
        if decode is None:
            raise VerifyError(f"this .deb holds {name}, in an unknown compression")
        try:
            return tarfile.open(fileobj=io.BytesIO(decode(content)), mode="r:")
        except (
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            lzma.LZMAError,
            tarfile.TarError,
        ) as error:
            raise VerifyError(f"this .deb's {name} is damaged: {error}") from error
    raise VerifyError("this .deb has no data.tar")


def safe_members(tar: tarfile.TarFile) -> Mapping[str, tarfile.TarInfo]:
    """All members of a tar by their paths, if every member is safe.

    :param tar: the tar of a package.
    :raises VerifyError: a member has an absolute path, a path with ``..`` or one through a symbolic
        link; is a device, or setuid or setgid; is a hard link out of the archive; or occurs twice.
    """
    by_path: dict[str, tarfile.TarInfo] = {}
    links: set[str] = set()
    try:
        members = tar.getmembers()
    except (tarfile.TarError, OSError) as error:
        raise VerifyError(f"this .deb is damaged: {error}") from error
    for member in members:
        name = _inside(member.name)
        if any(str(parent) in links for parent in PurePosixPath(name).parents):
            raise VerifyError(f"{member.name!r} leads through a symbolic link of the same archive")
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            raise VerifyError(f"{member.name!r} is a device or another special file")
        if member.isreg() and member.mode & _SETID:
            raise VerifyError(f"{member.name!r} is setuid or setgid")
        if member.islnk() and _inside(member.linkname) not in by_path:
            raise VerifyError(f"{member.name!r} is a hard link to something outside the archive")
        if name in by_path and not member.isdir():
            raise VerifyError(f"{member.name!r} occurs twice")
        if member.issym():
            links.add(name)
        by_path[name] = member
    return by_path


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise VerifyError(f"{name!r} leads out of the archive")
    return str(path)


def read_member(deb: bytes, path: str) -> bytes:
    """The content of a regular file.

    :param deb: the .deb.
    :param path: the path of the file, such as ``usr/bin/busybox``.
    :raises VerifyError: the archive is unsafe or damaged, or has no such regular file.
    """
    with data_tar(deb) as tar:
        member = safe_members(tar).get(path)
        if member is None or not member.isreg():
            raise VerifyError(f"this .deb has no file {path}")
        file = tar.extractfile(member)
        return file.read() if file else b""
