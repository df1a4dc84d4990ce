"""``nixgen cache repair``: push the paths anew that `verify` finds broken, from the local store.

Archives are checked against the store's database while they are read, and replaced; each narinfo
follows its archive. A path that the local store lacks is named, or dropped from the cache with all
paths that refer to it, so that clients build it instead of failing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.inventory import Inventory, read_inventory, read_narinfo
from nixgen.cache.bucket.presence import Presence
from nixgen.cache.check.archives import check_archives
from nixgen.cache.check.problems import CacheProblem, ProblemKind
from nixgen.cache.check.verify import among_upstreams, check_metadata, in_order, verify
from nixgen.cache.collect.plan import with_referrers
from nixgen.cache.collect.sweep import remove_paths
from nixgen.cache.format.codec import Codec
from nixgen.cache.format.names import CACHE_INFO, narinfo_name
from nixgen.cache.format.narinfo import NarInfo, fingerprint
from nixgen.cache.format.signing import PublicKey, SecretKey
from nixgen.cache.keep.leases import leased
from nixgen.cache.push.events import CacheEvent, Planned, Published
from nixgen.cache.push.push import ensure_cache_info
from nixgen.cache.push.settings import UploadSettings
from nixgen.cache.push.upload import Upload
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import StoreError, VerifyError
from nixgen.programs.observer import Observer
from nixgen.records.document import document
from nixgen.records.structure import to_json
from nixgen.store.digest import Hash
from nixgen.store.path import base_name

__all__ = ["Beyond", "RepairPlan", "RepairReport", "plan_repair", "repair"]


#: Kinds of problems that no push of a path repairs.
_NOT_OF_PATHS = (ProblemKind.CACHE_INFO, ProblemKind.DOCUMENT_UNREADABLE)


@frozen(kw_only=True)
class Beyond:
    """A path that clients cannot get, and that the local store lacks.

    :param name: of its narinfo in the cache, which may be missing.
    :param path: the store path; None when only its digest is known.
    :param deriver: the derivation that makes it, when the narinfo names it.
    """

    name: str
    path: str | None
    deriver: str | None

    @property
    def command(self) -> str:
        """The command that brings it into the local store."""
        return f"nix-store --realise {self.deriver}" if self.deriver else "nixgen build"


@frozen(kw_only=True)
class RepairPlan:
    """The work that mends a cache.

    :param push: paths to push, whatever the cache has of them.
    :param twins: narinfos, by name, of other paths with the same content; they are to name the new
        archive.
    :param beyond: paths that this computer cannot push.
    """

    push: tuple[PathInfo, ...] = ()
    twins: Mapping[str, NarInfo] = field(factory=dict)
    beyond: tuple[Beyond, ...] = ()


@frozen(kw_only=True)
class RepairReport:
    """The problems of a cache, and the repairs.

    :param cache: the address of the cache.
    :param problems: the problems before the repair, without waste, which a collection removes.
    :param waste: the number of problems that are waste.
    :param pushed: paths that were, or would be, pushed anew.
    :param beyond: paths that the local store lacks.
    :param refused: paths of the local store that were not pushed, because their bytes, or those of
        a reference, are not those of its database.
    :param reasons: the reasons for it in words; the first is a summary.
    :param dropped: names of narinfos that were, or would be, removed; referrers first.
    :param remaining: the problems after the repair, without waste; None after a plan.
    """

    cache: str
    problems: tuple[CacheProblem, ...]
    waste: int
    pushed: tuple[str, ...]
    beyond: tuple[Beyond, ...]
    refused: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    remaining: tuple[CacheProblem, ...] | None = None

    @property
    def is_clean(self) -> bool:
        """Whether clients get every path; for a plan, whether they will."""
        if self.remaining is None:
            manual = any(found.kind is ProblemKind.DOCUMENT_UNREADABLE for found in self.problems)
            return not manual and (not self.beyond or bool(self.dropped))
        return not self.remaining and not self.refused

    def document(self) -> dict[str, Any]:
        """The document of ``--json``, nixgen/cache-repair/1."""
        beyond = [
            {"object": each.name, "path": each.path, "command": each.command}
            for each in self.beyond
        ]
        return document("nixgen/cache-repair/1", **{**to_json(self), "beyond": beyond})


def plan_repair(problems: Iterable[CacheProblem], inventory: Inventory, store: Store) -> RepairPlan:
    """Decide for each broken path whether the local store can replace it.

    :param problems: of the cache.
    :param inventory: the contents of the cache.
    :param store: the local store.
    :raises StoreError: the store cannot be read.
    """
    broken: dict[str, str | None] = {}
    for problem in problems:
        if problem.kind.is_of_archive and problem.path is not None:
            broken[narinfo_name(problem.path)] = problem.path
        elif not problem.kind.is_waste and problem.kind not in _NOT_OF_PATHS:
            broken.setdefault(problem.object, None)
    paths = _paths_of(broken, inventory, store)
    valid = store.valid(path for path in paths.values() if path)
    wanted = [paths[name] for name in broken if paths[name] in valid]
    push = tuple(
        _with_signatures(info, inventory)
        for info in store.info(path for path in wanted if path is not None)
    )
    archives = {Hash.parse(info.nar_hash) for info in push}
    names = {narinfo_name(info.path) for info in push}
    twins = {
        name: info
        for name, info in inventory.narinfos.items()
        if info.nar_hash in archives and name not in names and info.key == name
    }
    beyond = tuple(
        _beyond(name, paths[name], inventory)
        for name in sorted(broken)
        if paths[name] not in valid and name not in twins
    )
    return RepairPlan(push=push, twins=twins, beyond=beyond)


def _paths_of(names: Iterable[str], inventory: Inventory, store: Store) -> dict[str, str | None]:
    """The full store path of each narinfo: from its referrers, from itself, or from the store.

    :param names: of narinfos.
    """
    wanted = set(names)
    known: dict[str, str | None] = dict.fromkeys(wanted)
    for info in inventory.narinfos.values():
        for entry in (*info.references, info.base_name):
            if narinfo_name(entry) in wanted:
                known[narinfo_name(entry)] = f"{info.store_directory}/{entry}"
    if None in known.values():
        try:
            found = [each.name for each in store.real_path(store.store_dir).iterdir()]
        except OSError as error:
            raise StoreError(
                f"cannot list {store.store_dir}: {error.strerror}", hint="run: nixgen doctor"
            ) from error
        for entry in found:
            name = narinfo_name(entry)
            if name in known and known[name] is None and entry[32:33] == "-":
                known[name] = f"{store.store_dir}/{entry}"
    return known


def _with_signatures(info: PathInfo, inventory: Inventory) -> PathInfo:
    """Add the signatures that the cache has for the same content: other keys may have made them."""
    held = inventory.narinfos.get(narinfo_name(info.path))
    references = tuple(sorted(map(base_name, info.references)))
    if held is None or (held.store_path, held.nar_hash, held.nar_size, held.references) != (
        info.path,
        Hash.parse(info.nar_hash),
        info.nar_size,
        references,
    ):
        return info
    return evolve(info, signatures=tuple(dict.fromkeys((*info.signatures, *held.signatures))))


def _beyond(name: str, path: str | None, inventory: Inventory) -> Beyond:
    info = inventory.narinfos.get(name)
    deriver = info and info.key == name and info.deriver
    return Beyond(
        name=name,
        path=path,
        deriver=f"{info.store_directory}/{deriver}" if info and deriver else None,
    )


def repair(
    bucket: Bucket,
    keys: Sequence[SecretKey],
    trusted: Sequence[PublicKey],
    observe: Observer,
    *,
    store: Store,
    codec: Codec,
    upstreams: Sequence[str] = (),
    drop: bool = False,
    plan_only: bool = False,
) -> RepairReport:
    """Verify a cache, repair it from the local store, and verify the repaired paths.

    An interruption at any point leaves the cache no worse than before: an archive is replaced by
    the content that its narinfo promises.

    :param bucket: of the cache.
    :param keys: sign the pushed paths.
    :param trusted: their signatures count as good, beside those of ``keys``.
    :param observe: receives the events of `verify` and of a push.
    :param store: the local store.
    :param codec: compresses the new archives.
    :param upstreams: addresses of caches that clients use beside this one.
    :param drop: remove the paths that the store lacks, with all paths that refer to them.
    :param plan_only: write nothing.
    :raises CacheError: S3 refuses or does not answer; or, with ``drop``, a push or a collector is
        in the way.
    :raises VerifyError: with ``drop``, a root, pin or lease is unreadable.
    """
    known = tuple(dict.fromkeys((*trusted, *(key.public for key in keys))))
    inventory = read_inventory(bucket)
    found = verify(bucket, known, observe, upstreams=upstreams, inventory=inventory).problems
    problems = tuple(problem for problem in found if not problem.kind.is_waste)
    plan = plan_repair(problems, inventory, store)
    report = RepairReport(
        cache=str(bucket.location),
        problems=problems,
        waste=len(found) - len(problems),
        pushed=tuple(info.path for info in plan.push),
        beyond=plan.beyond,
    )
    beyond = [each.name for each in plan.beyond] if drop else []
    if plan_only:
        doomed = with_referrers(inventory, beyond)
        return evolve(report, dropped=tuple(each.name for each in doomed if each.kind == "path"))
    if not problems:
        return evolve(report, remaining=())
    if any(problem.kind is ProblemKind.CACHE_INFO for problem in problems):
        bucket.delete([CACHE_INFO])
        ensure_cache_info(bucket, store.store_dir)
    settings = UploadSettings(codec=codec, verify=True, replace=True)
    pushing = _Pushing(
        report=report,
        bucket=bucket,
        keys=keys,
        known=known,
        store=store,
        settings=settings,
        upstreams=upstreams,
        observe=observe,
    )
    if plan.push:
        report = pushing.run(plan.push)
    touched = {*map(narinfo_name, report.pushed), *_point_twins(bucket, plan, report.pushed)}
    dropped = remove_paths(bucket, beyond) if beyond else ()
    after = read_inventory(bucket)
    remaining = check_metadata(bucket, after, known, upstreams, observe)
    bad = {problem.object for problem in remaining}
    again = [info for name, info in after.narinfos.items() if name in touched]
    again = [info for info in again if info.url not in bad]
    remaining += check_archives(bucket, again, after, observe)
    remaining += _unread(problems, {*touched, *dropped})
    return evolve(report, dropped=dropped, remaining=in_order(remaining))


_FOUND_BY_READING = frozenset(
    {
        ProblemKind.FILE_HASH,
        ProblemKind.NAR_UNREADABLE,
        ProblemKind.NAR_SIZE,
        ProblemKind.NAR_HASH,
    }
)


def _unread(problems: Iterable[CacheProblem], settled: Collection[str]) -> list[CacheProblem]:
    """The problems of archives that were neither replaced nor dropped; they are not read again.

    :param settled: names of narinfos that were replaced or dropped.
    """
    return [
        problem
        for problem in problems
        if problem.kind in _FOUND_BY_READING
        and problem.path is not None
        and narinfo_name(problem.path) not in settled
    ]


@frozen(kw_only=True)
class _Pushing:
    """A push that replaces broken paths.

    :param report: of the repair so far.
    :param known: public keys whose signatures can be checked.
    """

    report: RepairReport
    bucket: Bucket
    keys: Sequence[SecretKey]
    known: Sequence[PublicKey]
    store: Store
    settings: UploadSettings
    upstreams: Sequence[str]
    observe: Observer

    def run(self, broken: Sequence[PathInfo]) -> RepairReport:
        """Replace ``broken``, and push those of their references that the cache lacks.

        :returns: the report, with the outcome of the push.
        """
        by_path = {info.path: info for info in broken}
        closure = self.store.closure(by_path)
        # No root is written, so the lease is left to lapse: a collector at work must learn of the push.
        with leased(self.bucket, closure):
            # Asked again: paths of the inventory may have been collected before the lease.
            there = Presence(self.bucket).among(narinfo_name(info.path) for info in closure)
            absent = [
                info.path
                for info in closure
                if info.path not in by_path and narinfo_name(info.path) not in there
            ]
            wanted = {*by_path, *absent} - among_upstreams(self.upstreams, absent, self.observe)
            missing = [
                self._without_wrong(by_path.get(info.path, info))
                for info in closure
                if info.path in wanted
            ]
            return self._upload(missing, len(closure))

    def _upload(self, missing: Sequence[PathInfo], closure: int) -> RepairReport:
        pushed: set[str] = set()

        def watch(event: CacheEvent) -> None:
            if isinstance(event, Published):
                pushed.add(event.path)
            self.observe(event)

        size = sum(info.nar_size for info in missing)
        watch(Planned(paths=closure, missing=len(missing), nar_bytes=size))
        reasons: tuple[str, ...] = ()
        try:
            Upload(
                missing=missing,
                store=self.store,
                bucket=self.bucket,
                keys=self.keys,
                settings=self.settings,
                observe=watch,
            ).run()
        except (VerifyError, StoreError) as error:
            # All others were pushed; the report names these.
            reasons = (error.message, *error.details)
        return evolve(
            self.report,
            pushed=tuple(info.path for info in missing if info.path in pushed),
            refused=tuple(info.path for info in missing if info.path not in pushed),
            reasons=reasons,
        )

    def _without_wrong(self, info: PathInfo) -> PathInfo:
        """Leave out signatures that bear the name of a known key and were not made by it."""
        names = {key.name for key in self.known}
        text = fingerprint(info.path, Hash.parse(info.nar_hash), info.nar_size, info.references)
        kept = [
            signature
            for signature in info.signatures
            if signature.partition(":")[0] not in names
            or any(key.verifies(text, (signature,)) for key in self.known)
        ]
        return evolve(info, signatures=tuple(kept))


def _point_twins(bucket: Bucket, plan: RepairPlan, pushed: Collection[str]) -> list[str]:
    """Let the twins of pushed paths, which have the same content, name the new archives.

    :returns: the names of the narinfos that were written.
    """
    written: list[str] = []
    for path in pushed if plan.twins else ():
        data = bucket.read(narinfo_name(path))
        new = None if data is None else read_narinfo(data)
        if not isinstance(new, NarInfo):
            continue
        for name, twin in plan.twins.items():
            found = bucket.read_tagged(name)
            # Signatures do not cover what changes here.
            if twin.nar_hash == new.nar_hash and found and read_narinfo(found[0]) == twin:
                changed = evolve(
                    twin,
                    url=new.url,
                    compression=new.compression,
                    file_hash=new.file_hash,
                    file_size=new.file_size,
                )
                text = str(changed).encode()
                if bucket.put(name, text, if_match=found[1]):
                    written.append(name)
    return written
