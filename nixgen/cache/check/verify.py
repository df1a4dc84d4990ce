"""``nixgen cache verify``: whether every path of a cache will arrive at a client that requires signatures.

What narinfos say is checked by pure functions; archives are downloaded, hashed, decompressed and hashed again, several at a time.
Others may push and collect meanwhile: whatever seems to be missing is asked for once more before it is reported.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import Inventory, read_inventory, read_narinfo
from nixgen.cache.bucket.uploads import Unfinished, unfinished_uploads
from nixgen.cache.check.archives import Observer, check_archives
from nixgen.cache.check.problems import CacheProblem, ProblemKind
from nixgen.cache.format.content_address import follows_from_content
from nixgen.cache.format.decompress import DECOMPRESSIONS
from nixgen.cache.format.names import CACHE_INFO, NARS, is_listing, narinfo_name, object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import PublicKey
from nixgen.cache.push.events import UpstreamSilent
from nixgen.cache.push.upstream import UpstreamCaches
from nixgen.errors import CacheError
from nixgen.records.document import document
from nixgen.store.path import path_name

__all__ = [
    "MIN_AGE",
    "Verification",
    "asked_upstreams",
    "check_metadata",
    "check_narinfo",
    "find_waste",
    "in_order",
    "sampled",
    "verify",
]

MIN_AGE = timedelta(hours=24)
"""What nothing names, and is younger, belongs to a push that is under way."""


@frozen(kw_only=True)
class Verification:
    """What was looked at, and what is wrong.

    :param cache: its address.
    :param paths: narinfos, those that cannot be read included.
    :param nar_bytes: uncompressed bytes of all paths.
    :param file_bytes: bytes that their archives take.
    :param distinct: archives that the narinfos name; several paths may share one.
    :param archives: how many of them were read.
    :param archive_bytes: compressed bytes of those.
    :param in_progress: archives, listings and uploads that nothing names yet, and that are too young to be waste.
    :param uploads_known: whether unfinished uploads could be listed.
    :param problems: sorted by path, then by object.
    """

    cache: str
    paths: int
    nar_bytes: int
    file_bytes: int
    distinct: int
    archives: int
    archive_bytes: int
    in_progress: int
    uploads_known: bool
    problems: tuple[CacheProblem, ...]

    def document(self) -> dict[str, Any]:
        """For ``--json``: schema nixgen/cache-verify/1."""
        return document(
            "nixgen/cache-verify/1",
            cache=self.cache,
            paths=self.paths,
            narBytes=self.nar_bytes,
            fileBytes=self.file_bytes,
            archives={
                "stored": self.distinct,
                "read": self.archives,
                "fileBytes": self.archive_bytes,
            },
            inProgress=self.in_progress,
            uploadsKnown=self.uploads_known,
            problems=[problem.document() for problem in self.problems],
        )


def verify(
    bucket: Bucket,
    keys: Sequence[PublicKey],
    observe: Observer,
    *,
    upstreams: Sequence[str] = (),
    archives: bool = True,
    sample: int | None = None,
    seed: int = 0,
    min_age: timedelta = MIN_AGE,
    inventory: Inventory | None = None,
) -> Verification:
    """Check a cache; nothing is written.

    :param keys: at least one must have signed each path.
    :param upstreams: addresses of caches that clients use beside this one; references may be there.
    :param archives: download NARs, and check their hashes.
    :param sample: of how many paths; all when None.
    :param seed: which ones.
    :param inventory: when the caller has just read it.
    :raises CacheError: S3 or an upstream refuses or does not answer.
    """
    inventory = inventory or read_inventory(bucket)
    problems = check_metadata(bucket, inventory, keys, upstreams, observe)
    uploads = unfinished_uploads(bucket)
    waste, young = find_waste(inventory, uploads or (), now=datetime.now(UTC), min_age=min_age)
    chosen: Sequence[NarInfo] = ()
    if archives:
        # What is known to be missing or cut off is reported already.
        known = {problem.object for problem in problems if problem.kind.is_of_archive}
        chosen = sampled([*inventory.narinfos.values()], sample, seed)
        chosen = [info for info in chosen if info.url not in known]
    problems += check_archives(bucket, chosen, inventory, observe)
    urls = {info.url for info in chosen}
    return Verification(
        cache=str(bucket.location),
        paths=len(inventory.narinfos) + len(inventory.unreadable),
        nar_bytes=inventory.nar_bytes,
        file_bytes=inventory.file_bytes,
        distinct=len({info.url for info in inventory.narinfos.values()}),
        archives=len(urls),
        archive_bytes=sum(map(inventory.size, urls)),
        in_progress=young,
        uploads_known=uploads is not None,
        problems=in_order([*problems, *waste]),
    )


def in_order(problems: Iterable[CacheProblem]) -> tuple[CacheProblem, ...]:
    """The order of reports: by the paths' names, what has none at the end."""
    return tuple(
        sorted(
            problems, key=lambda found: (found.path is None, found.what, found.object, found.kind)
        )
    )


def sampled(infos: Sequence[NarInfo], count: int | None, seed: int = 0) -> Sequence[NarInfo]:
    """``count`` of them, the same ones for the same seed, whatever else is in the cache."""
    if count is None or count >= len(infos):
        return infos

    def rank(info: NarInfo) -> bytes:
        return hashlib.sha256(f"{seed}:{info.store_path}".encode()).digest()

    return sorted(infos, key=rank)[:count]


# metadata


def check_metadata(
    bucket: Bucket,
    inventory: Inventory,
    keys: Sequence[PublicKey],
    upstreams: Sequence[str],
    observe: Observer,
) -> list[CacheProblem]:
    """All that can be known without reading an archive."""
    info_text = bucket.read(CACHE_INFO)
    store_dir, problems = check_cache_info(info_text, inventory)
    problems += [
        CacheProblem(
            kind=ProblemKind.NARINFO_UNREADABLE,
            object=name,
            message=f"cannot be read: {found.reason}",
        )
        for name, found in inventory.unreadable.items()
    ]
    suspects: list[tuple[str, CacheProblem]] = []
    for name, info in inventory.narinfos.items():
        problems += check_narinfo(name, info, keys, store_dir)
        suspects += ((name, problem) for problem in check_object(info, inventory))
    problems += _confirmed(bucket, suspects, inventory)
    problems += _lost_references(bucket, inventory, upstreams, observe)
    problems += _check_documents(bucket, inventory)
    return problems


def check_cache_info(
    text: bytes | None, inventory: Inventory
) -> tuple[str | None, list[CacheProblem]]:
    """The store directory that the cache is for, None when nobody says; and what is wrong with its ``nix-cache-info``."""
    lines = (text or b"").decode("utf-8", "replace").splitlines()
    fields = dict(line.split(": ", 1) for line in lines if ": " in line)
    store_dir = fields.get("StoreDir")
    if store_dir is not None or not inventory.objects:
        return store_dir, []
    missing = "is missing: many clients then take it for no cache"
    return None, [
        CacheProblem(
            kind=ProblemKind.CACHE_INFO,
            object=CACHE_INFO,
            message=missing if text is None else "has no StoreDir",
        )
    ]


def check_narinfo(
    name: str, info: NarInfo, keys: Sequence[PublicKey], store_dir: str | None
) -> Iterator[CacheProblem]:
    """Whether the narinfo ``name`` is about the path that it should be about, and signed by one of ``keys``."""
    if info.key != name or store_dir not in (None, info.store_directory):
        yield CacheProblem(
            kind=ProblemKind.NARINFO_MISNAMED,
            object=name,
            path=info.store_path,
            message=f"stands in {name}"
            if info.key != name
            else f"is no path of {store_dir}, the cache's store",
        )
    if any(key.verifies(info.fingerprint, info.signatures) for key in keys):
        return
    if follows_from_content(info):
        return
    claimed = {signature.partition(":")[0] for signature in info.signatures}
    wrong = sorted(claimed & {key.name for key in keys})
    yield CacheProblem(
        kind=ProblemKind.SIGNATURE_WRONG if wrong else ProblemKind.SIGNATURE_MISSING,
        object=name,
        path=info.store_path,
        message=f"the signature by {', '.join(wrong)} is wrong"
        if wrong
        else f"is signed by {', '.join(sorted(claimed)) or 'nobody'},"
        f" not by {' or '.join(key.name for key in keys)}",
    )


def check_object(info: NarInfo, inventory: Inventory) -> Iterator[CacheProblem]:
    """Whether the archive is there, whole, and in a compression that can be checked."""
    found = inventory.objects.get(info.url)
    problem: tuple[ProblemKind, str] | None = None
    if found is None:
        problem = ProblemKind.NAR_MISSING, "its archive is missing"
    elif info.file_size is not None and found.size != info.file_size:
        problem = (
            ProblemKind.FILE_SIZE,
            f"its archive has {found.size} bytes, not {info.file_size}",
        )
    elif info.compression not in DECOMPRESSIONS:
        problem = (
            ProblemKind.COMPRESSION_UNKNOWN,
            f"its archive is compressed with {info.compression}, which nixgen cannot check",
        )
    if problem is not None:
        yield CacheProblem(
            kind=problem[0], object=info.url, path=info.store_path, message=problem[1]
        )


def _confirmed(
    bucket: Bucket, suspects: Sequence[tuple[str, CacheProblem]], inventory: Inventory
) -> Iterator[CacheProblem]:
    """Those that are still so. What was pushed, repaired or collected since the listing is not a problem of this cache."""

    def still_so(suspect: tuple[str, CacheProblem]) -> bool:
        name, problem = suspect
        data = bucket.read(name)
        if data is None or read_narinfo(data) != inventory.narinfos[name]:
            return False
        found, was = bucket.head(problem.object), inventory.objects.get(problem.object)
        return (found and found.size) == (was and was.size)

    with ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-head") as pool:
        for (_, problem), so in zip(suspects, pool.map(still_so, suspects), strict=True):
            if so:
                yield problem


def _lost_references(
    bucket: Bucket,
    inventory: Inventory,
    upstreams: Sequence[str],
    observe: Observer,
) -> list[CacheProblem]:
    present = {*inventory.narinfos, *inventory.unreadable}
    referrers: dict[str, list[NarInfo]] = defaultdict(list)
    for info in inventory.narinfos.values():
        for name in info.references:
            if narinfo_name(name) not in present:
                referrers[f"{info.store_directory}/{name}"].append(info)
    if not referrers:
        return []
    elsewhere = asked_upstreams(upstreams, [*referrers], observe)

    def lost(path: str) -> CacheProblem | None:
        name = narinfo_name(path)
        if bucket.head(name) is not None:
            return None
        # A collector removes referrers first: they may be gone by now.
        remaining = [info for info in referrers[path] if bucket.head(info.key) is not None]
        if not remaining:
            return None
        first = path_name(remaining[0].store_path)
        who = f"{first} and {len(remaining) - 1} more refer" if remaining[1:] else f"{first} refers"
        return CacheProblem(
            kind=ProblemKind.REFERENCE_LOST,
            object=name,
            path=path,
            message=f"is missing; {who} to it",
        )

    with ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-head") as pool:
        found = pool.map(lost, [path for path in referrers if path not in elsewhere])
        return [problem for problem in found if problem is not None]


def asked_upstreams(
    upstreams: Sequence[str], paths: Sequence[str], observe: Observer
) -> frozenset[str]:
    """Those of ``paths`` that an upstream has.

    :raises CacheError: one does not answer, and what it may have was found nowhere else.
    """
    silent: list[UpstreamSilent] = []

    def listen(event: object) -> None:
        if isinstance(event, UpstreamSilent):
            silent.append(event)
            observe(event)

    with UpstreamCaches(upstreams, listen) as caches:
        found = caches.having(paths)
    if silent and len(found) < len(paths):
        raise CacheError(
            f"the upstream {silent[0].url} does not answer: {silent[0].reason}",
            hint=f"without it nobody knows whether {len(paths) - len(found)} references are lost; run it again later",
        )
    return found


def _check_documents(bucket: Bucket, inventory: Inventory) -> Iterator[CacheProblem]:
    names = [
        name for name in inventory.objects if name.startswith("nixgen/") and name.endswith(".json")
    ]
    for name, data in bucket.read_many(names):
        if data is None:
            continue
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict) or not str(document.get("schema")).startswith("nixgen/"):
            yield CacheProblem(
                kind=ProblemKind.DOCUMENT_UNREADABLE,
                object=name,
                message="is none of nixgen's documents",
            )


def find_waste(
    inventory: Inventory, uploads: Sequence[Unfinished], *, now: datetime, min_age: timedelta
) -> tuple[list[CacheProblem], int]:
    """What nothing names; and how much of it is younger than ``min_age``, so that a push may yet name it."""
    named = {info.url for info in inventory.narinfos.values()}
    known = {*inventory.narinfos, *inventory.unreadable}
    found: list[tuple[datetime, CacheProblem]] = []
    for name, held in inventory.objects.items():
        if name.startswith(NARS) and name not in named:
            kind, message = ProblemKind.NAR_ORPHAN, f"{held.size} bytes that no narinfo names"
        elif is_listing(name) and narinfo_name(object_digest(name)) not in known:
            kind, message = ProblemKind.LISTING_ORPHAN, "is the listing of a path that is gone"
        else:
            continue
        found.append((held.modified, CacheProblem(kind=kind, object=name, message=message)))
    found += [
        (
            upload.touched,
            CacheProblem(
                kind=ProblemKind.UPLOAD_UNFINISHED,
                object=upload.name,
                message=f"an upload that ended after {upload.size} bytes",
            ),
        )
        for upload in uploads
    ]
    waste = [problem for touched, problem in found if now - touched >= min_age]
    return waste, len(found) - len(waste)
