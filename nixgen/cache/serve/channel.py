"""A channel beside the cache: what evaluates to the paths that were pushed, for ``nix-channel`` and as a flake.

The tarball is made of its files' names, contents and executable bits alone, so the same project gives the same bytes.
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

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.keep.pins import pin_paths
from nixgen.cache.keep.roots import list_pins
from nixgen.errors import CacheError, StoreError, UsageError

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

#: What both a channel (nix-channel) and a flake's ID (flakeref.cc) may be called.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/%+-]*)?")
_ATTEMPTS = 10


def require_name(name: str) -> str:
    """:raises UsageError: Nix would not take it for a channel or a flake."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a channel",
            hint="use letters, digits, - and _, with a letter first, such as shop",
        )
    return name


def require_url(url: str) -> str:
    """:returns: without a final slash.
    :raises UsageError: it is no plain http:// or https:// address.
    """
    if not _URL.fullmatch(url):
        raise UsageError(
            f"{url!r} is not the URL of a cache",
            hint="write it like https://cache.example.org, without a query",
        )
    return url.rstrip("/")


@frozen
class ChannelUrls:
    """:param tarball: for nix-channel.
    :param flake: the same files, for flakes.
    """

    tarball: str
    flake: str


def channel_urls(url: str, name: str) -> ChannelUrls:
    """Where the two tarballs of a channel are, by the URL of its cache."""
    return ChannelUrls(f"{url}/{_tarball(name)}", f"{url}/{_flake(name)}")


def _tarball(name: str) -> str:
    return f"channels/{name}/nixexprs.tar.xz"


def _flake(name: str) -> str:
    return f"channels/{name}/flake.tar.gz"


def pack(name: str, files: Mapping[str, bytes | Path]) -> bytes:
    """A tar archive with one folder, ``name``, as Nix wants it.

    :param files: path inside → its bytes, or the file, link or folder (without what is in it) on disk.
    :raises StoreError: something cannot be read.
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
    """An archive of `pack`, in a folder that is gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="nixgen-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            # Our own work, links and all. An attribute: Debian 12's Python knows no argument for it.
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
    """Pin what a channel offers: it is promised for as long as the channel is there, not for some generations.

    :param paths: full store paths; what is not in the cache is an upstream's.
    :raises CacheError: a collection was faster; or S3 refuses or does not answer.
    """
    pin = f"channel-{name}"
    wanted = sorted(set(paths))
    own = dict(zip(wanted, bucket.read_many(map(narinfo_name, wanted)), strict=True))
    held = tuple(path for path, (_, data) in own.items() if data is not None)
    # What is pinned already cannot have gone.
    if all(each.name != pin or each.paths != held for each in list_pins(bucket)):
        pin_paths(bucket, pin, held, note=f"what the channel {name} offers")


def publish(
    bucket: Bucket, name: str, *, archive: bytes, index: bytes, url: str
) -> tuple[str, ...]:
    """Make a channel visible. Its paths are in the cache already.

    The tarballs go first: whoever finds the new entry or page finds the channel. An object that has the same bytes
    already is left alone.

    :param archive: of `pack`.
    :param index: the page, in HTML.
    :param url: of the cache.
    :returns: the objects that changed.
    :raises CacheError: S3 refuses or does not answer.
    """
    objects = {
        _tarball(name): (lzma.compress(archive), "application/x-xz"),
        _flake(name): (gzip.compress(archive, mtime=0), "application/gzip"),
    }
    uploaded = [
        found for found, (body, kind) in objects.items() if _store(bucket, found, body, kind)
    ]
    if _register(bucket, name, channel_urls(url, name).flake):
        uploaded.append(REGISTRY)
    page = f"channels/{name}/index.html"
    if _store(bucket, page, index, "text/html; charset=utf-8"):
        uploaded.append(page)
    return tuple(uploaded)


def _store(bucket: Bucket, name: str, body: bytes, content_type: str) -> bool:
    found = bucket.head(name)
    # The tag is no digest where objects are encrypted, so the bytes are compared; most changes show in the size.
    if found is not None and found.size == len(body) and bucket.read(name) == body:
        return False
    return bucket.put(name, body, content_type=content_type)


def _register(bucket: Bucket, name: str, flake: str) -> bool:
    """Put the channel among the others of the cache; conditionally, since others may do the same for theirs."""
    for _ in range(_ATTEMPTS):
        found = bucket.read_tagged(REGISTRY)
        old, tag = found or (None, None)
        new = _registry(old, name, flake)
        if new == old:
            return False
        if bucket.put(
            REGISTRY, new, content_type="application/json", if_absent=tag is None, if_match=tag
        ):
            return True
    raise CacheError(
        f"{REGISTRY} of {bucket.location} changes all the time",
        hint="run it again when no other channel is being published",
    )


def _registry(old: bytes | None, name: str, flake: str) -> bytes:
    """Version 2 of Nix's registry format (registry.cc)."""
    entry = {"from": {"type": "indirect", "id": name}, "to": {"type": "tarball", "url": flake}}
    others: list[Any] = []
    if old is not None:
        try:
            others = [item for item in json.loads(old)["flakes"] if item["from"] != entry["from"]]
        except (ValueError, LookupError, TypeError) as error:
            raise CacheError(
                f"{REGISTRY} of the cache is no flake registry",
                hint="look at what wrote it, and delete it; it is then made anew",
            ) from error
    flakes = sorted([*others, entry], key=lambda item: str(item["from"].get("id")))
    return (json.dumps({"version": 2, "flakes": flakes}, indent=2, sort_keys=True) + "\n").encode()
