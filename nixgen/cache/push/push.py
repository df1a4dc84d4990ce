"""``nixgen cache push``: pushes the closures of store paths to a signed binary cache."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import field, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.format.names import CACHE_INFO
from nixgen.cache.format.signing import SecretKey
from nixgen.cache.keep.leases import leased
from nixgen.cache.keep.roots import Root, record_root
from nixgen.cache.push.events import CollectorAhead, Observer, Planned
from nixgen.cache.push.missing import PushPlan, make_plan
from nixgen.cache.push.realisation import put_realisations
from nixgen.cache.push.settings import UploadSettings
from nixgen.cache.push.upload import Upload, Uploaded
from nixgen.cache.push.upstream import Upstream
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import CacheError, NixgenError
from nixgen.instant.repeated_push import LIFETIME, Question
from nixgen.records.document import document
from nixgen.records.structure import to_json
from nixgen.store.path import STORE

__all__ = ["PushReport", "ensure_cache_info", "push", "read_store_dir"]

# Below cache.nixos.org's 40: clients ask the project's own cache first.
_PRIORITY = 30


@frozen(kw_only=True)
class PushReport:
    """The result of a push, or of its dry run.

    :param cache: the address of the cache.
    :param plan: the paths that the cache lacked.
    :param uploaded: the result of the upload; None after a dry run.
    :param requests: the number of requests to S3.
    :param question: a request that shows whether the cache still has everything
        (`nixgen.instant.repeated_push`). It is signed, so it is secret.
    :param seconds: how long the push took.
    """

    cache: str
    plan: PushPlan
    uploaded: Uploaded | None
    requests: PaceStatistics
    question: Question | None = field(default=None, repr=False)
    seconds: float

    def document(self) -> dict[str, Any]:
        """For ``--json``: schema nixgen/push/1."""
        return document(
            "nixgen/push/1",
            cache=self.cache,
            closure=self.plan.closure,
            missing=[info.path for info in self.plan.missing],
            missingBytes=self.plan.nar_bytes,
            upstream=[info.path for info in self.plan.upstream],
            upstreamBytes=self.plan.upstream_bytes,
            uploaded=to_json(self.uploaded),
            requests=to_json(self.requests),
            seconds=round(self.seconds, 3),
        )


def push(
    paths: Iterable[str],
    location: CacheLocation,
    keys: Sequence[SecretKey],
    observe: Observer,
    *,
    dry_run: bool = False,
    thorough: bool = False,
    upstreams: Sequence[Upstream] = (),
    settings: UploadSettings | None = None,
    store: Store | None = None,
    root: Root | None = None,
    check: Callable[[Sequence[PathInfo]], None] | None = None,
) -> PushReport:
    """Make store paths, with their closures, substitutable from a cache.

    When a push is interrupted at any point, the cache stays consistent, and the next push sends
    only what was not durable. Memory stays below `UploadSettings.memory`, and what Python and its
    libraries take, whatever the size of the closure.

    :param paths: full store paths.
    :param location: the cache.
    :param keys: every one signs; signatures that the store has are kept.
    :param observe: receives the events.
    :param dry_run: make the plan, and write nothing.
    :param thorough: ask the cache for every path; see `make_plan`.
    :param upstreams: caches to leave paths to; see `left_to_upstreams`.
    :param settings: how to upload.
    :param store: where the paths are; the store of this computer when None.
    :param root: recorded at the end, so that collection keeps the paths. Without a root they stay
        only for the least age that `gc` takes.
    :param check: called with the paths to upload, before anything is uploaded; it raises to refuse
        the push. Not called in a dry run.
    :raises VerifyError, StoreError, CacheError: see `Upload.run`.
    """
    started = time.monotonic()
    store = store or Store.of_host()
    roots = tuple(dict.fromkeys(paths))
    closure = store.closure(roots)
    uploaded, question = None, None
    with contextlib.ExitStack() as stack:
        bucket = stack.enter_context(Bucket(location))
        ensure_cache_info(bucket, store.store_dir, create=not dry_run)
        lease = None
        if not dry_run:
            # Before the plan: no collector removes what the plan finds until the root holds it.
            lease = stack.enter_context(
                leased(
                    bucket,
                    closure,
                    waiting=lambda batch: observe(CollectorAhead(holder=batch.holder)),
                )
            )
        plan = make_plan(
            closure, roots, bucket, thorough=thorough, upstreams=upstreams, observe=observe
        )
        observe(
            Planned(
                paths=plan.closure,
                missing=len(plan.missing),
                nar_bytes=plan.nar_bytes,
                upstream=len(plan.upstream),
            )
        )
        if lease is not None:
            if check is not None:
                try:
                    check(plan.missing)
                except NixgenError:
                    lease.settle()  # nothing was published under it
                    raise
            uploaded = Upload(
                missing=plan.missing,
                store=store,
                bucket=bucket,
                keys=keys,
                settings=settings or UploadSettings(),
                observe=observe,
                before_publishing=lease.require,
            ).run()
            put_realisations(store.realisations(info.path for info in closure), bucket, keys)
            if root is not None:
                lease.require()
                record_root(bucket, root)
                question = _newest_root(bucket, root)
            if root is not None or not plan.missing:
                lease.settle()
    return PushReport(
        cache=str(location),
        plan=plan,
        uploaded=uploaded,
        requests=bucket.statistics,
        question=question,
        seconds=time.monotonic() - started,
    )


def _newest_root(bucket: Bucket, root: Root) -> Question:
    """A request that lists the roots of the environment from ``root`` on, and the key of ``root``.

    The answer contains only this key as long as the root is the newest.
    """
    key = bucket.location.key(root.name)
    url = bucket.client.generate_presigned_url(
        "list_objects_v2",
        Params={
            "Bucket": bucket.location.bucket,
            "Prefix": key.rpartition("/")[0] + "/",
            "StartAfter": key[:-1],  # S3 leaves out the key that StartAfter gives
        },
        ExpiresIn=LIFETIME,
    )
    return url, key


def ensure_cache_info(bucket: Bucket, store_dir: str, *, create: bool = True) -> None:
    """Write ``nix-cache-info``, unless the cache has one.

    It is also the first request of a push, so that a missing bucket shows before any work: a HEAD
    request cannot tell a missing bucket from a missing object.

    :param bucket: the cache.
    :param store_dir: the store's folder.
    :param create: False only checks the existing file.
    :raises CacheError: the cache is for another store folder.
    """
    found = bucket.read(CACHE_INFO)
    if found is None:
        if create:
            text = f"StoreDir: {store_dir}\nWantMassQuery: 1\nPriority: {_PRIORITY}\n"
            bucket.put(CACHE_INFO, text.encode())
        return
    theirs = read_store_dir(found, STORE)
    if theirs != store_dir:
        raise CacheError(
            f"{bucket.location} holds paths of {theirs}, not of {store_dir}",
            hint="give this store a cache, or a prefix, of its own",
        )


def read_store_dir(text: bytes, default: str | None = None) -> str | None:
    """Read the store's folder that a cache is for.

    :param text: of its ``nix-cache-info``.
    :param default: returned when the file does not name one.
    """
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line).get("StoreDir", default)
