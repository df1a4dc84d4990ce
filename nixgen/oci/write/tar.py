"""Tar archives of store paths. A store path has the same bytes on every machine.

The format is POSIX ustar. A pax record is written only for a name over 100 bytes that does not split,
a link target over 100 bytes, and a size of 8 GiB or more. The owner is 0:0 without names, the time is 1,
modes are those of the Nix store, and the entries of a directory are sorted by bytes. Hard links are
written as files, because the bytes must not depend on whether a store is optimised.

The tar of a layer is a sequence of independent *members*: the folders above the store, each store path,
the end. The bytes of a member depend on one store path only, so a compressed member can be copied into
another layer.

Source: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html.
"""

# Names are bytes, and a Path for each of 100,000 files would cost more than its tar:
# ruff: noqa: PTH115, PTH118, PTH119, PTH123, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nixgen.errors import InputError, StoreError

__all__ = ["END", "FORMAT", "parents", "root_tree", "store_path"]

#: The version of the format, a part of every recipe: to be changed with the bytes of any path.
FORMAT = "nixgen-tar-1"
#: The end of an archive: two blocks of zeros.
END = bytes(1024)

_READ = 1 << 20
_USTAR_NAME = 100
_USTAR_PREFIX = 155
_USTAR_SIZE = 8**11
_MTIME = b"00000000001\0"
_OWNER = b"0000000\0"


# The modes of files; directories and executables have the bits of _EXECUTE, too.
_STORE_MODE = 0o444
_ROOT_MODE = 0o644
_EXECUTE = 0o111
# Directories that every image has, also when its root tree lacks them.
_REQUIRED = {b"tmp": 0o1777, b"var": 0o755, b"var/tmp": 0o1777}


def parents() -> bytes:
    """The directories above every store path."""
    return _header(b"nix/", b"5", 0o755) + _header(b"nix/store/", b"5", 0o755)


def store_path(path: str, *, store: Path | None = None) -> Iterator[bytes]:
    """The tar member of a store path, in pieces of at most about 1 MiB.

    :param path: ``/nix/store/…``, its name in the image.
    :param store: the directory where it lies; ``/nix/store`` when None.
    :raises StoreError: the path is missing or unreadable, or became shorter while it was read.
    :raises InputError: it holds a device, socket or FIFO.
    """
    real = path if store is None else os.path.join(store, os.path.basename(path))
    return _walk(os.fsencode(real), os.fsencode(path.lstrip("/")), _STORE_MODE)


def root_tree(path: str) -> Iterator[bytes]:
    """The tar member of the tree at ``/``. Root may write in it, everybody in /tmp and /var/tmp.

    :param path: the directory with the tree.
    :raises InputError: the tree holds ``nix``, or ``tmp``, ``var`` or ``var/tmp`` are not directories.
    """
    if os.path.lexists(os.path.join(path, "nix")):
        raise InputError(
            f"the root tree {path} of an image holds /nix, which the layers provide",
            hint="leave `nix` out of the image's contents",
        )
    return _root_children(os.fsencode(path), b"")


def _root_children(real: bytes, member: bytes) -> Iterator[bytes]:
    required = {name for name in _REQUIRED if name.rpartition(b"/")[0] == member}
    present = {_join(member, name) for name in _names(real)} if os.path.lexists(real) else set()
    for inner in sorted(required | present):
        full = os.path.join(real, inner.rpartition(b"/")[2])
        mode = _REQUIRED.get(inner)
        if mode is None:
            yield from _walk(full, inner, _ROOT_MODE)
            continue
        if inner in present and not stat.S_ISDIR(os.lstat(full).st_mode):
            raise InputError(
                f"{os.fsdecode(full)} is not a directory",
                hint=f"make /{os.fsdecode(inner)} a directory in the image's contents, or leave it out",
            )
        yield _header(inner + b"/", b"5", mode)
        yield from _root_children(full, inner)


def _join(member: bytes, name: bytes) -> bytes:
    return member + b"/" + name if member else name


def _names(directory: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(directory))
    except OSError as error:
        raise _unreadable(directory, error) from error


def _walk(real: bytes, member: bytes, file_mode: int) -> Iterator[bytes]:
    try:
        info = os.lstat(real)
    except OSError as error:
        raise _unreadable(real, error) from error
    kind = stat.S_IFMT(info.st_mode)
    if kind == stat.S_IFREG:
        mode = file_mode | (_EXECUTE if info.st_mode & stat.S_IXUSR else 0)
        yield from _file(real, member, info.st_size, mode)
    elif kind == stat.S_IFDIR:
        yield _header(member + b"/", b"5", file_mode | _EXECUTE)
        for name in _names(real):
            yield from _walk(os.path.join(real, name), member + b"/" + name, file_mode)
    elif kind == stat.S_IFLNK:
        yield _header(member, b"2", 0o777, link=os.readlink(real))
    else:
        raise InputError(
            f"{os.fsdecode(real)} is a device, socket or FIFO",
            hint="a Nix store holds only files, directories and symbolic links: run nix-store --verify",
        )


def _file(real: bytes, member: bytes, size: int, mode: int) -> Iterator[bytes]:
    header = _header(member, b"0", mode, size=size)
    padding = bytes(-size % 512)
    try:
        with open(real, "rb", buffering=0) as stream:
            # A small file is one piece with its header, because there are thousands of them.
            data = stream.read(min(size, _READ)) if size else b""
            left = size - len(data)
            if not left:
                yield b"".join((header, data, padding))
                return
            yield header
            while data:
                yield data
                data = stream.read(min(left, _READ))
                left -= len(data)
    except OSError as error:
        raise _unreadable(real, error) from error
    if left:
        raise StoreError(
            f"{os.fsdecode(real)} became shorter while it was read",
            hint="nix-store --verify --check-contents finds damaged paths",
        )
    yield padding


def _unreadable(real: bytes, error: OSError) -> StoreError:
    return StoreError(
        f"cannot read {os.fsdecode(real)}: {error.strerror}",
        hint="build the image again; its closure may have been garbage-collected",
    )


def _header(member: bytes, kind: bytes, mode: int, *, size: int = 0, link: bytes = b"") -> bytes:
    split = _split(member)
    records = []
    if split is None:
        records.append((b"path", member))
    if len(link) > _USTAR_NAME:
        records.append((b"linkpath", link))
    if size >= _USTAR_SIZE:
        records.append((b"size", b"%d" % size))
    prefix, name = split or (b"", member[:_USTAR_NAME])
    block = _block(
        name=name,
        prefix=prefix,
        kind=kind,
        mode=mode,
        size=0 if size >= _USTAR_SIZE else size,
        link=link[:_USTAR_NAME],
    )
    if not records:
        return block
    body = b"".join(_record(key, value) for key, value in records)
    # A reader that knows pax ignores this name; any other reader sees a file of this name.
    pax = _block(name=b"PaxHeaders/0", prefix=b"", kind=b"x", mode=0o444, size=len(body), link=b"")
    return b"".join((pax, body, bytes(-len(body) % 512), block))


def _split(member: bytes) -> tuple[bytes, bytes] | None:
    """The name as ustar has it, in two fields (prefix, name); None when it needs a pax record."""
    if len(member) <= _USTAR_NAME:
        return b"", member
    # The slash nearest to the front that leaves at most 100 bytes of name: the shortest prefix.
    cut = member.find(b"/", len(member) - _USTAR_NAME - 1)
    if 0 < cut <= _USTAR_PREFIX and cut < len(member) - 1:
        return member[:cut], member[cut + 1 :]
    return None


def _record(key: bytes, value: bytes) -> bytes:
    """A pax record: ``LENGTH KEY=VALUE`` and a newline. LENGTH counts its own digits, too."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(b"%d" % len(rest))
    length = len(rest) + len(b"%d" % length)
    return b"%d" % length + rest


def _block(*, name: bytes, prefix: bytes, kind: bytes, mode: int, size: int, link: bytes) -> bytes:
    block = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0" % mode,
            _OWNER,
            _OWNER,
            b"%011o\0" % size,
            _MTIME,
            b"        ",
            kind,
            link.ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),  # user and group names
            _OWNER,  # device numbers
            _OWNER,
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    return b"".join((block[:148], b"%06o\0 " % sum(block), block[156:]))
