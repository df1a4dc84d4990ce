"""The plan of a push: the paths of a closure that the cache lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.presence import Presence
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.push.events import Observer
from nixgen.cache.push.upstream import Upstream, left_to_upstreams
from nixgen.driver.store.store import PathInfo
from nixgen.programs.observer import ignore

__all__ = ["PushPlan", "make_plan"]


@frozen(kw_only=True)
class PushPlan:
    """The plan of a push.

    :param closure: number of paths in the closure.
    :param missing: the paths to push, references before their referrers.
    :param upstream: the paths that the cache lacks, too, but clients get from an upstream cache.
    """

    closure: int
    missing: tuple[PathInfo, ...]
    upstream: tuple[PathInfo, ...] = ()

    @property
    def nar_bytes(self) -> int:
        """Uncompressed bytes to push."""
        return sum(info.nar_size for info in self.missing)

    @property
    def upstream_bytes(self) -> int:
        """Uncompressed bytes that clients get from an upstream cache."""
        return sum(info.nar_size for info in self.upstream)


def make_plan(
    closure: Sequence[PathInfo],
    roots: Iterable[str],
    bucket: Bucket,
    *,
    thorough: bool = False,
    upstreams: Sequence[Upstream] = (),
    observe: Observer = ignore,
) -> PushPlan:
    """Ask the cache for narinfos, from the roots down.

    A narinfo is published only after those of its references. So the references of an existing
    narinfo exist, too, and a closure that the cache has already costs one request for each root.

    :param closure: references before their referrers.
    :param roots: paths that together refer to the whole closure.
    :param bucket: the cache.
    :param thorough: ask for every path, for a cache that may have lost files.
    :param upstreams: caches to leave paths to; see `left_to_upstreams`.
    :param observe: receives `UpstreamSilent`.
    :raises CacheError: the cache does not answer.
    """
    infos = {info.path: info for info in closure}
    presence = Presence(bucket)
    missing: set[str] = set()
    seen: set[str] = set()
    level = set(infos if thorough else roots)
    while level:
        seen |= level
        present = presence.among(map(narinfo_name, sorted(level)))
        lacking = {path for path in level if narinfo_name(path) not in present}
        missing |= lacking
        level = {reference for path in lacking for reference in infos[path].references} - seen
    wanted = [info for info in closure if info.path in missing]
    left = left_to_upstreams(wanted, upstreams, observe) if upstreams else frozenset()
    return PushPlan(
        closure=len(infos),
        missing=tuple(info for info in wanted if info.path not in left),
        upstream=tuple(info for info in wanted if info.path in left),
    )
