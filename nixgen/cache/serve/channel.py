"""A channel beside the cache: the Nix files of a project, whose targets evaluate to pushed paths.

Users get it with ``nix-channel`` or as a flake. The tarball depends only on its files' names,
contents and executable bits, so the same project gives the same bytes.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import lzma
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.keep.pins import pin_paths
from nixgen.cache.keep.roots import list_pins
from nixgen.errors import CacheError, StoreError, UsageError
from nixgen.records.rules import named
from nixgen.records.structure import parse_as

__all__ = [
    "REGISTRY",
    "ChannelUrls",
    "channel_urls",
    "keep",
    "pack",
    "publish",
    "require_name",
    "require_url",
    "unpacked",
]

REGISTRY = "flake-registry.json"

#: A name that both a channel (nix-channel) and a flake (flakeref.cc) may have.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/%+-]*)?")
_ATTEMPTS = 10


def require_name(name: str) -> str:
    """Check the name of a channel.

    :param name: the name, which is returned.
    :raises UsageError: Nix does not accept it for a channel or a flake.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a channel",
            hint="use letters, digits, - and _, with a letter first, such as shop",
        )
    return name


def require_url(url: str) -> str:
    """Check the URL of a cache.

    :param url: the URL.
    :returns: the URL without a final slash.
    :raises UsageError: it is not a plain http:// or https:// URL.
    """
    if not _URL.fullmatch(url):
        raise UsageError(
            f"{url!r} is not the URL of a cache",
            hint="write it like https://cache.example.org, without a query",
        )
    return url.rstrip("/")


@frozen
class ChannelUrls:
    """The URLs of the two tarballs of a channel, which contain the same files.

    :param tarball: for nix-channel.
    :param flake: for flakes.
    """

    tarball: str
    flake: str


def channel_urls(url: str, name: str) -> ChannelUrls:
    """The URLs of a channel.

    :param url: of its cache.
    :param name: of the channel.
    """
    return ChannelUrls(f"{url}/{_tarball(name)}", f"{url}/{_flake(name)}")


def _tarball(name: str) -> str:
    return f"channels/{name}/nixexprs.tar.xz"


def _flake(name: str) -> str:
    return f"channels/{name}/flake.tar.gz"


def pack(name: str, files: Mapping[str, bytes | Path]) -> bytes:
    """Make the tar archive of a channel.

    :param name: of its single folder.
    :param files: path in the folder → its bytes, or the file, link or folder (without its files) on
        disk.
    :raises StoreError: a file cannot be read.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_member(name, tarfile.DIRTYPE, 0o755))
        for path in sorted({*files, *_parents(files)}):
            member, content = _entry(f"{name}/{path}", files.get(path))
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@contextlib.contextmanager
def unpacked(archive: bytes) -> Iterator[Path]:
    """Unpack an archive into a folder that is removed at the end of the block.

    :param archive: of `pack`.
    """
    with tempfile.TemporaryDirectory(prefix="nixgen-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            # We made it, so its links are safe. Debian 12's Python has no argument for the filter.
            tar.extraction_filter = lambda member, _path: member
            tar.extractall(folder)  # noqa: S202 - see above
        yield Path(folder)


def _parents(files: Mapping[str, object]) -> Iterator[str]:
    for path in files:
        while path := path.rpartition("/")[0]:
            yield path


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode = kind, mode
    member.mtime = 1  # as in the store
    return member


def _entry(path: str, source: bytes | Path | None) -> tuple[tarfile.TarInfo, bytes]:
    if source is None:
        return _member(path, tarfile.DIRTYPE, 0o755), b""
    if isinstance(source, bytes):
        content, executable = source, False
    else:
        try:
            mode = source.lstat().st_mode
            if stat.S_ISDIR(mode):
                return _member(path, tarfile.DIRTYPE, 0o755), b""
            if stat.S_ISLNK(mode):
                member = _member(path, tarfile.SYMTYPE, 0o777)
                member.linkname = str(source.readlink())
                return member, b""
            content, executable = source.read_bytes(), bool(mode & stat.S_IXUSR)
        except OSError as error:
            raise StoreError(
                f"cannot read {source}: {error.strerror}", hint="make it readable, and try again"
            ) from error
    member = _member(path, tarfile.REGTYPE, 0o755 if executable else 0o644)
    member.size = len(content)
    return member, content


def keep(bucket: Bucket, name: str, paths: Iterable[str]) -> None:
    """Pin the paths of a channel, so that collection keeps them as long as the channel exists.

    :param bucket: the cache.
    :param name: of the channel.
    :param paths: full store paths; a path that is not in the cache is in an upstream cache.
    :raises CacheError: a collection has removed one; or S3 refuses or does not answer.
    """
    pin = f"channel-{name}"
    wanted = sorted(set(paths))
    own = dict(zip(wanted, bucket.read_many(map(narinfo_name, wanted)), strict=True))
    held = tuple(path for path, (_, data) in own.items() if data is not None)
    # Paths that are pinned already cannot have been removed.
    if all(each.name != pin or each.paths != held for each in list_pins(bucket)):
        pin_paths(bucket, pin, held, note=f"what the channel {name} offers")


def publish(
    bucket: Bucket, name: str, *, archive: bytes, index: bytes, url: str
) -> tuple[str, ...]:
    """Make a channel visible. Its paths must be in the cache already.

    The tarballs are written first, so that a client which finds the new entry or page finds them,
    too. An object with the same bytes is not written again.

    :param bucket: the cache.
    :param name: of the channel.
    :param archive: of `pack`.
    :param index: the page, in HTML.
    :param url: of the cache.
    :returns: the names of the objects that changed.
    :raises CacheError: S3 refuses or does not answer.
    """
    objects = {
        _tarball(name): lzma.compress(archive),
        _flake(name): gzip.compress(archive, mtime=0),
    }
    uploaded = [key for key, body in objects.items() if _store(bucket, key, body)]
    if _register(bucket, name, channel_urls(url, name).flake):
        uploaded.append(REGISTRY)
    page = f"channels/{name}/index.html"
    if _store(bucket, page, index):
        uploaded.append(page)
    return tuple(uploaded)


def _store(bucket: Bucket, name: str, body: bytes) -> bool:
    found = bucket.head(name)
    # The tag of an encrypted object is no digest, so the bytes are compared; most changes show in
    # the size.
    if found is not None and found.size == len(body) and bucket.read(name) == body:
        return False
    return bucket.put(name, body)


def _register(bucket: Bucket, name: str, flake: str) -> bool:
    """Add the channel to the registry. The write is conditional: others may add theirs
    meanwhile.
    """
    for _ in range(_ATTEMPTS):
        found = bucket.read_tagged(REGISTRY)
        old, tag = found or (None, None)
        new = _registry(old, name, flake)
        if new == old:
            return False
        if bucket.put(REGISTRY, new, if_absent=tag is None, if_match=tag):
            return True
    raise CacheError(
        f"{REGISTRY} of {bucket.location} changes all the time",
        hint="run it again when no other channel is being published",
    )


@frozen(kw_only=True)
class _RegistryEntry:
    source: Mapping[str, Any] = field(metadata=named("from"))


@frozen(kw_only=True)
class _Registry:
    flakes: tuple[_RegistryEntry, ...]


def _registry(old: bytes | None, name: str, flake: str) -> bytes:
    """The registry with the channel, in version 2 of Nix's format (registry.cc)."""
    entry = {"from": {"type": "indirect", "id": name}, "to": {"type": "tarball", "url": flake}}
    others: list[Any] = []
    if old is not None:
        try:
            parse_as(_Registry, old)
        except ValueError as error:
            raise CacheError(
                f"{REGISTRY} of the cache is no flake registry",
                hint="look at what wrote it, and delete it; it is then made anew",
            ) from error
        others = [item for item in json.loads(old)["flakes"] if item["from"] != entry["from"]]
    flakes = sorted([*others, entry], key=lambda item: str(item["from"].get("id")))
    return (json.dumps({"version": 2, "flakes": flakes}, indent=2, sort_keys=True) + "\n").encode()
