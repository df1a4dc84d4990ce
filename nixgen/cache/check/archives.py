"""Whether the archives of a cache are what their narinfos say: downloaded, hashed, decompressed and hashed again, several at a time."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.download import download
from nixgen.cache.bucket.inventory import Inventory
from nixgen.cache.check.problems import CacheProblem, ProblemKind
from nixgen.cache.format.decompress import decompressed
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.push.events import UpstreamSilent
from nixgen.errors import VerifyError
from nixgen.store.digest import Hash

__all__ = [
    "ArchiveRead",
    "ArchivesPlanned",
    "Observer",
    "VerifyEvent",
    "check_archive",
    "check_archives",
]

# Threads per core that read archives: most wait for S3, and those that do not hold the interpreter's lock only briefly.
_READERS = 4


@frozen(kw_only=True)
class ArchivesPlanned:
    """The work is known: so many archives, of so many compressed bytes."""

    archives: int
    file_bytes: int


@frozen(kw_only=True)
class ArchiveRead:
    """``size`` more compressed bytes of the archive of ``path`` were checked."""

    path: str
    size: int


VerifyEvent: TypeAlias = ArchivesPlanned | ArchiveRead | UpstreamSilent
Observer: TypeAlias = Callable[[VerifyEvent], None]


@frozen(kw_only=True)
class _Archive:
    """What an archive turned out to be.

    :param fault: why it cannot be decompressed; ``nar_size`` and ``nar_hash`` then tell nothing.
    """

    file_size: int
    file_hash: Hash
    nar_size: int
    nar_hash: Hash
    fault: str | None = field(default=None)


def check_archives(
    bucket: Bucket, infos: Sequence[NarInfo], inventory: Inventory, observe: Observer
) -> list[CacheProblem]:
    """Download the archives of ``infos``, each once however many paths share it, and compare them with what is said of them.

    Memory is bounded by the threads: four for each core, with about 10 MB each.
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

    def tell(event: VerifyEvent) -> None:
        with lock:
            observe(event)

    def check(group: Sequence[NarInfo]) -> list[CacheProblem]:
        archive = _read_archive(bucket, group, tell)
        return [problem for info in group for problem in check_archive(info, archive)]

    threads = min(bucket.connections, _READERS * len(os.sched_getaffinity(0)))
    # The largest first, so that none of them is left for the end, when the other threads have nothing to do.
    groups = sorted(shared.values(), key=lambda group: -group[0].nar_size)
    with ThreadPoolExecutor(threads, thread_name_prefix="cache-verify") as pool:
        try:
            return [problem for found in pool.map(check, groups) for problem in found]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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


def check_archive(info: NarInfo, archive: _Archive) -> Iterator[CacheProblem]:
    """The first of the differences: the others follow from it."""
    found: tuple[ProblemKind, str] | None = None
    if info.file_size not in (None, archive.file_size):
        found = (
            ProblemKind.FILE_SIZE,
            f"its archive has {archive.file_size} bytes, not {info.file_size}",
        )
    elif info.file_hash not in (None, archive.file_hash):
        found = ProblemKind.FILE_HASH, "its archive's bytes are not those that were stored"
    elif archive.fault is not None:
        found = ProblemKind.NAR_UNREADABLE, f"its archive cannot be decompressed: {archive.fault}"
    elif info.nar_size != archive.nar_size:
        found = ProblemKind.NAR_SIZE, f"its archive does not hold {info.nar_size} bytes"
    elif info.nar_hash != archive.nar_hash:
        found = ProblemKind.NAR_HASH, "its archive is not the one that was signed"
    if found is not None:
        yield CacheProblem(kind=found[0], object=info.url, path=info.store_path, message=found[1])
