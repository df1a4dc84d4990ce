"""``nixgen cache verify``: check that clients which require signatures get every path of a cache.

Pure functions check the narinfos. Archives are downloaded, hashed, decompressed and hashed again,
several at a time. Others may push and collect meanwhile, so an object that seems to be missing is
asked for once more before it is reported.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import Inventory, read_inventory, read_narinfo
from nixgen.cache.bucket.uploads import Unfinished, unfinished_uploads
from nixgen.cache.check.archives import check_archives
from nixgen.cache.check.problems import CacheProblem, ProblemKind, first_difference
from nixgen.cache.format.content_address import follows_from_content
from nixgen.cache.format.decompress import DECOMPRESSIONS
from nixgen.cache.format.names import CACHE_INFO, NARS, is_listing, narinfo_name, object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.format.signing import PublicKey
from nixgen.cache.push.events import UpstreamSilent
from nixgen.cache.push.push import read_store_dir
from nixgen.cache.push.upstream import UpstreamCaches
from nixgen.errors import CacheError, counted
from nixgen.programs.observer import Observer
from nixgen.records.document import document, parse_object
from nixgen.records.structure import to_json
from nixgen.store.path import path_name

__all__ = [
    "MIN_AGE",
    "ArchiveCount",
    "Verification",
    "among_upstreams",
    "check_metadata",
    "check_narinfo",
    "find_waste",
    "in_order",
    "sampled",
    "verify",
]

MIN_AGE = timedelta(hours=24)
"""An unnamed object that is younger belongs to a push that is under way."""


@frozen(kw_only=True)
class ArchiveCount:
    """How many archives a cache has, and how many of them were read.

    :param stored: number of archives that the narinfos name; several paths may share one.
    :param read: number of archives that were read.
    :param file_bytes: compressed bytes of the archives that were read.
    """

    stored: int
    read: int
    file_bytes: int


@frozen(kw_only=True)
class Verification:
    """The outcome of a check.

    :param cache: the address of the cache.
    :param paths: number of narinfos, with the unreadable ones.
    :param nar_bytes: uncompressed bytes of all paths.
    :param file_bytes: bytes that their archives take.
    :param archives: the archives that the narinfos name.
    :param in_progress: number of archives, listings and uploads that nothing names yet, and that
        are too young to be waste.
    :param uploads_known: whether unfinished uploads could be listed.
    :param problems: sorted by path, then by object.
    """

    cache: str
    paths: int
    nar_bytes: int
    file_bytes: int
    archives: ArchiveCount
    in_progress: int
    uploads_known: bool
    problems: tuple[CacheProblem, ...]

    def document(self) -> dict[str, Any]:
        """The document of ``--json``, nixgen/cache-verify/1."""
        return document("nixgen/cache-verify/1", **to_json(self))


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
    """Check a cache. Writes nothing.

    :param bucket: of the cache.
    :param keys: one of them must have signed each path.
    :param observe: receives the events of `check_archives`, and `UpstreamSilent`.
    :param upstreams: addresses of caches that clients use beside this one; references may be there.
    :param archives: download archives, and check their hashes.
    :param sample: the number of paths whose archives are downloaded; None: all.
    :param seed: chooses the paths of a sample.
    :param min_age: unnamed objects that are younger belong to a push under way.
    :param inventory: the contents of the cache, when the caller has just read them.
    :raises CacheError: S3 or an upstream refuses or does not answer.
    """
    inventory = inventory or read_inventory(bucket)
    problems = check_metadata(bucket, inventory, keys, upstreams, observe)
    uploads = unfinished_uploads(bucket)
    waste, young = find_waste(inventory, uploads or (), now=datetime.now(UTC), min_age=min_age)
    chosen: Sequence[NarInfo] = ()
    if archives:
        # Archives that are missing or cut off are reported already.
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
        archives=ArchiveCount(
            stored=len({info.url for info in inventory.narinfos.values()}),
            read=len(urls),
            file_bytes=sum(map(inventory.size, urls)),
        ),
        in_progress=young,
        uploads_known=uploads is not None,
        problems=in_order([*problems, *waste]),
    )


def in_order(problems: Iterable[CacheProblem]) -> tuple[CacheProblem, ...]:
    """Sort problems as reports show them: by the names of paths, then those without a path.

    :param problems: in any order.
    """
    return tuple(
        sorted(problems, key=lambda each: (each.path is None, each.name, each.object, each.kind))
    )


def sampled(infos: Sequence[NarInfo], count: int | None, seed: int = 0) -> Sequence[NarInfo]:
    """Choose some paths: the same ones for the same seed, whatever else is in the cache.

    :param infos: narinfos of all paths.
    :param count: how many; None: all.
    :param seed: another seed chooses other paths.
    """
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
    """Find the problems that can be found without reading an archive.

    :param bucket: of the cache.
    :param inventory: its contents.
    :param keys: one of them must have signed each path.
    :param upstreams: addresses of caches in which references may be, too.
    :param observe: receives `UpstreamSilent`.
    :raises CacheError: S3 or an upstream refuses or does not answer.
    """
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
        if problem := check_object(info, inventory):
            suspects.append((name, problem))
    problems += _confirmed(bucket, suspects, inventory)
    problems += _lost_references(bucket, inventory, upstreams, observe)
    problems += _check_documents(bucket, inventory)
    return problems


def check_cache_info(
    text: bytes | None, inventory: Inventory
) -> tuple[str | None, list[CacheProblem]]:
    """Read ``nix-cache-info``.

    :param text: of the file; None when it is missing.
    :param inventory: the contents of the cache; an empty cache needs no such file.
    :returns: the store's folder that the cache is for, when known; and the problems.
    """
    store_dir = read_store_dir(text or b"")
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
    """Check that a narinfo describes the path that its name says, and that a known key signed it.

    :param name: of the narinfo's file.
    :param info: the narinfo.
    :param keys: one of them must have signed it, unless its name follows from its content.
    :param store_dir: the store's folder that the cache is for; None when unknown.
    """

    def problem(kind: ProblemKind, message: str) -> CacheProblem:
        return CacheProblem(kind=kind, object=name, path=info.store_path, message=message)

    if info.key != name:
        yield problem(ProblemKind.NARINFO_MISNAMED, f"stands in {name}")
    elif store_dir not in (None, info.store_directory):
        message = f"is no path of {store_dir}, the cache's store"
        yield problem(ProblemKind.NARINFO_MISNAMED, message)
    if any(key.verifies(info.fingerprint, info.signatures) for key in keys):
        return
    if follows_from_content(info):
        return
    claimed = {signature.partition(":")[0] for signature in info.signatures}
    if wrong := sorted(claimed & {key.name for key in keys}):
        message = f"the signature by {', '.join(wrong)} is wrong"
        yield problem(ProblemKind.SIGNATURE_WRONG, message)
    else:
        signers = ", ".join(sorted(claimed)) or "nobody"
        message = f"is signed by {signers}, not by {' or '.join(key.name for key in keys)}"
        yield problem(ProblemKind.SIGNATURE_MISSING, message)


def check_object(info: NarInfo, inventory: Inventory) -> CacheProblem | None:
    """Check that an archive is in the cache, whole, and in a compression that can be checked.

    :param info: a narinfo that names it.
    :param inventory: the contents of the cache.
    """
    held = info.url in inventory.objects
    size = inventory.size(info.url)
    wrong_size = f"its archive has {size} bytes, not {info.file_size}"
    unknown = f"its archive is compressed with {info.compression}, which nixgen cannot check"
    return first_difference(
        info,
        (not held, ProblemKind.NAR_MISSING, "its archive is missing"),
        (info.file_size not in (None, size), ProblemKind.FILE_SIZE, wrong_size),
        (info.compression not in DECOMPRESSIONS, ProblemKind.COMPRESSION_UNKNOWN, unknown),
    )


def _confirmed(
    bucket: Bucket, suspects: Sequence[tuple[str, CacheProblem]], inventory: Inventory
) -> Iterator[CacheProblem]:
    """The problems that still exist. A path may have been pushed, repaired or collected meanwhile.

    :param suspects: the name of a narinfo, and the problem of its archive.
    """

    def still_exists(suspect: tuple[str, CacheProblem]) -> bool:
        name, problem = suspect
        data = bucket.read(name)
        if data is None or read_narinfo(data) != inventory.narinfos[name]:
            return False
        found, was = bucket.head(problem.object), inventory.objects.get(problem.object)
        return (found and found.size) == (was and was.size)

    with ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-head") as pool:
        for (_, problem), exists in zip(suspects, pool.map(still_exists, suspects), strict=True):
            if exists:
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
    elsewhere = among_upstreams(upstreams, [*referrers], observe)

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


def among_upstreams(
    upstreams: Sequence[str], paths: Sequence[str], observe: Observer
) -> frozenset[str]:
    """Find the store paths that an upstream has.

    :param upstreams: addresses of caches.
    :param paths: full store paths.
    :param observe: receives `UpstreamSilent`.
    :raises CacheError: an upstream does not answer, and a path was found in no other.
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
            hint=f"only it can tell about {counted(len(paths) - len(found), 'reference')}; run it again later",
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
            schema = parse_object(data).get("schema")
        except ValueError:
            schema = None
        if not str(schema).startswith("nixgen/"):
            yield CacheProblem(
                kind=ProblemKind.DOCUMENT_UNREADABLE,
                object=name,
                message="is none of nixgen's documents",
            )


def find_waste(
    inventory: Inventory, uploads: Sequence[Unfinished], *, now: datetime, min_age: timedelta
) -> tuple[list[CacheProblem], int]:
    """Find the objects that nothing names.

    :param inventory: the contents of the cache.
    :param uploads: its unfinished uploads.
    :param now: the time to which ages are compared.
    :param min_age: a push under way may yet name an object that is younger.
    :returns: the old ones, as problems, and the number of young ones.
    """
    named = {info.url for info in inventory.narinfos.values()}
    known = {*inventory.narinfos, *inventory.unreadable}
    found: list[tuple[datetime, ProblemKind, str, str]] = []
    for name, held in inventory.objects.items():
        if name.startswith(NARS) and name not in named:
            message = f"{held.size} bytes that no narinfo names"
            found.append((held.modified, ProblemKind.NAR_ORPHAN, name, message))
        elif is_listing(name) and narinfo_name(object_digest(name)) not in known:
            message = "is the listing of a path that is gone"
            found.append((held.modified, ProblemKind.LISTING_ORPHAN, name, message))
    for upload in uploads:
        message = f"an upload that ended after {upload.size} bytes"
        found.append((upload.touched, ProblemKind.UPLOAD_UNFINISHED, upload.name, message))
    waste = [
        CacheProblem(kind=kind, object=name, message=message)
        for touched, kind, name, message in found
        if now - touched >= min_age
    ]
    return waste, len(found) - len(waste)
