"""What a push has to do: the closure, less what the cache has."""

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
    """The outcome of asking the cache.

    :param closure: how many paths were asked for, with all they reach.
    :param missing: what the cache lacks and is to be pushed, references before their referrers.
    :param upstream: what it lacks, and clients get from an upstream.
    """

    closure: int
    missing: tuple[PathInfo, ...]
    upstream: tuple[PathInfo, ...] = ()

    @property
    def nar_bytes(self) -> int:
        """Uncompressed bytes to push."""
        return sum(info.nar_size for info in self.missing)


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

    A narinfo is only ever published after those of its references, so below one that exists nothing is asked:
    a closure that is there already costs one request for its root.

    :param closure: references before their referrers.
    :param roots: the paths that nothing else in the push may refer to.
    :param thorough: ask for every path instead, for a cache that lost files.
    :param upstreams: what these have, with all it refers to, is left to them.
    :raises CacheError: the cache does not answer.
    """
    infos = {info.path: info for info in closure}
    presence = Presence(bucket)
    missing: set[str] = set()
    asked: set[str] = set()
    next_ones: Iterable[str] = infos if thorough else roots
    while level := {path for path in next_ones if path not in asked}:
        asked |= level
        there = presence.among(map(narinfo_name, sorted(level)))
        lacking = [path for path in level if narinfo_name(path) not in there]
        missing.update(lacking)
        next_ones = [reference for path in lacking for reference in infos[path].references]
    wanted = [info for info in closure if info.path in missing]
    left = left_to_upstreams(wanted, upstreams, observe) if upstreams else frozenset()
    return PushPlan(
        closure=len(infos),
        missing=tuple(info for info in wanted if info.path not in left),
        upstream=tuple(info for info in wanted if info.path in left),
    )
