"""``nixgen cache pin``: keep paths that are in a cache, also while a collection is at work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.format.names import narinfo_name, object_digest
from nixgen.cache.format.narinfo import NarInfo
from nixgen.cache.keep.leases import leased_paths
from nixgen.cache.keep.roots import DEFAULT_ENVIRONMENT, Pin, Root, list_roots, put_pin
from nixgen.errors import CacheError, UsageError

__all__ = ["pin_paths", "recorded_paths"]


def pin_paths(bucket: Bucket, name: str, paths: Iterable[str], *, note: str = "") -> Pin:
    """Keep store paths of a cache, with their closures, until the pin is removed.

    The paths are leased and then looked for again, as a push does: a collection may be about to
    delete them.

    :param bucket: of the cache.
    :param name: of the pin; an older pin of this name is replaced.
    :param paths: full store paths.
    :param note: the reason, for people.
    :raises UsageError: the cache lacks one of the paths, or ``name`` is not the name of a pin.
    :raises CacheError: a collection was faster; or S3 refuses or does not answer.
    """
    pin = Pin(name=name, created=bucket.clock(), note=note, paths=paths)
    closure = _closure(bucket, pin.paths)
    for path in pin.paths:
        if narinfo_name(path) not in closure:
            raise UsageError(f"the cache does not have {path}", hint="push it first")
    held = {object_digest(key): info.nar_hash.nix32 for key, info in closure.items()}
    with leased_paths(bucket, held) as lease:
        gone = [key for key, data in bucket.read_many(closure) if data is None]
        if gone:
            raise CacheError(
                f"a collection has just removed {closure[gone[0]].store_path}",
                hint="push it again, then pin it",
            )
        lease.require()
        put_pin(bucket, pin)
        lease.settle()
    return pin


def recorded_paths(
    bucket: Bucket,
    targets: Sequence[str] = (),
    *,
    environment: str | None = None,
    generation: str | None = None,
) -> tuple[str, ...]:
    """The store paths of targets, as the roots of a cache record them.

    :param bucket: of the cache.
    :param targets: attributes, or first parts of attributes (``machines``). Empty: every target of
        the newest generation.
    :param environment: None: the one of pushes without an environment.
    :param generation: None: for each target the newest that holds it.
    :raises UsageError: there is no such target, environment or generation.
    """
    name = environment or DEFAULT_ENVIRONMENT
    roots = [
        root
        for root in list_roots(bucket)
        if root.environment == name and generation in (None, root.generation)
    ]
    if not roots:
        wanted = f"generation {generation} of {name}" if generation else f"environment {name}"
        raise UsageError(
            f"nothing of {wanted} was pushed to this cache",
            hint="see what was with: nixgen cache roots",
        )
    if not targets:
        return tuple(sorted(roots[0].paths))
    return tuple(path for target in targets for path in _newest(roots, target, name))


def _newest(roots: Sequence[Root], target: str, environment: str) -> list[str]:
    found: dict[str, list[str]] = {}
    for root in roots:
        for attr, outputs in root.targets.items():
            if attr == target or attr.startswith(f"{target}."):
                found.setdefault(attr, sorted(outputs.values()))
    if not found:
        raise UsageError(
            f"no target {target!r} was pushed for the environment {environment}",
            hint="see what was with: nixgen cache roots --json",
        )
    return [path for paths in found.values() for path in paths]


def _closure(bucket: Bucket, paths: Iterable[str]) -> dict[str, NarInfo]:
    """The narinfos of a closure, by name, as far as the cache has them; upstreams have the rest."""
    found: dict[str, NarInfo] = {}
    asked: set[str] = set()
    level = set(map(narinfo_name, paths))
    while level:
        asked |= level
        read = {
            key: NarInfo.parse(data.decode("utf-8", "replace"), source=key)
            for key, data in bucket.read_many(sorted(level))
            if data is not None
        }
        found |= read
        level = {
            narinfo_name(reference) for info in read.values() for reference in info.references
        } - asked
    return found
