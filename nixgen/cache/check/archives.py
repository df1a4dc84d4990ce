"""Check the archives of a cache against their narinfos, several at a time."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.download import download
from nixgen.cache.bucket.inventory import Inventory
from nixgen.cache.check.problems import CacheProblem, ProblemKind, first_difference
from nixgen.cache.format.decompress import decompressed
from nixgen.cache.format.narinfo import NarInfo
from nixgen.errors import VerifyError
from nixgen.programs.observer import Observer
from nixgen.store.digest import Hash

__all__ = [
    "ArchiveRead",
    "ArchivesPlanned",
    "check_archive",
    "check_archives",
]

# Threads per core that read archives: most wait for S3, and those that do not hold the interpreter's lock only briefly.
_READERS = 4


@frozen(kw_only=True)
class ArchivesPlanned:
    """The work is known.

    :param archives: how many will be read.
    :param file_bytes: their compressed bytes.
    """

    archives: int
    file_bytes: int


@frozen(kw_only=True)
class ArchiveRead:
    """A piece of an archive was checked.

    :param path: the store path of the archive.
    :param size: compressed bytes of the piece.
    """

    path: str
    size: int


@frozen(kw_only=True)
class _Archive:
    """An archive as it was downloaded.

    :param fault: why it cannot be decompressed; ``nar_size`` and ``nar_hash`` then mean nothing.
    """

    file_size: int
    file_hash: Hash
    nar_size: int
    nar_hash: Hash
    fault: str | None = None


def check_archives(
    bucket: Bucket, infos: Sequence[NarInfo], inventory: Inventory, observe: Observer
) -> list[CacheProblem]:
    """Download archives, and compare them with their narinfos.

    An archive is downloaded once, however many paths share it. Memory is bounded by the threads:
    four for each core, with about 10 MB each.

    :param bucket: of the cache.
    :param infos: narinfos of the archives.
    :param inventory: the contents of the cache.
    :param observe: receives `ArchivesPlanned` and `ArchiveRead`, one at a time.
    :raises CacheError: S3 refuses or does not answer.
    """
    shared: dict[tuple[str, str], list[NarInfo]] = defaultdict(list)
    for info in infos:
        shared[info.url, info.compression].append(info)
    observe(
        ArchivesPlanned(
            archives=len(shared),
            file_bytes=sum(inventory.size(url) for url, _ in shared),
        )
    )
    lock = threading.Lock()

    def tell(event: ArchiveRead) -> None:
        with lock:
            observe(event)

    def check(group: Sequence[NarInfo]) -> list[CacheProblem]:
        archive = _read_archive(bucket, group, tell)
        return [found for info in group if (found := check_archive(info, archive))]

    threads = min(bucket.connections, _READERS * len(os.sched_getaffinity(0)))
    # The largest first: one that is left for the end would be read while other threads are idle.
    groups = sorted(shared.values(), key=lambda group: -group[0].nar_size)
    with ThreadPoolExecutor(threads, thread_name_prefix="cache-verify") as pool:
        return [problem for problems in pool.map(check, groups) for problem in problems]


def _read_archive(bucket: Bucket, group: Sequence[NarInfo], tell: Observer) -> _Archive:
    info = group[0]
    stored, content = hashlib.sha256(), hashlib.sha256()
    stored_size = size = 0

    def chunks() -> Iterator[bytes]:
        nonlocal stored_size
        for chunk in download(bucket, info.url):
            stored.update(chunk)
            stored_size += len(chunk)
            tell(ArchiveRead(path=info.store_path, size=len(chunk)))
            yield chunk

    arriving = chunks()
    fault = None
    limit = max(each.nar_size for each in group)
    try:
        for piece in decompressed(info.compression, arriving):
            content.update(piece)
            size += len(piece)
            if size > limit:  # wrong already, and it may expand to anything
                break
    except VerifyError as error:
        fault = error.message
    for _ in arriving:  # the hash of the file is over all of it
        pass
    return _Archive(
        file_size=stored_size,
        file_hash=Hash("sha256", stored.digest()),
        nar_size=size,
        nar_hash=Hash("sha256", content.digest()),
        fault=fault,
    )


def check_archive(info: NarInfo, archive: _Archive) -> CacheProblem | None:
    """Compare an archive with a narinfo that names it.

    :param info: the narinfo.
    :param archive: the archive, as it was downloaded.
    :returns: the first difference, since the others follow from it.
    """
    size = f"its archive has {archive.file_size} bytes, not {info.file_size}"
    stored = "its archive's bytes are not those that were stored"
    unreadable = f"its archive cannot be decompressed: {archive.fault}"
    unpacked = f"its archive does not hold {info.nar_size} bytes"
    content = "its archive is not the one that was signed"
    return first_difference(
        info,
        (info.file_size not in (None, archive.file_size), ProblemKind.FILE_SIZE, size),
        (info.file_hash not in (None, archive.file_hash), ProblemKind.FILE_HASH, stored),
        (archive.fault is not None, ProblemKind.NAR_UNREADABLE, unreadable),
        (info.nar_size != archive.nar_size, ProblemKind.NAR_SIZE, unpacked),
        (info.nar_hash != archive.nar_hash, ProblemKind.NAR_HASH, content),
    )
