"""What a push has to do: the closure, less what the cache has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from attrs import frozen

from nixgen.cache.s3 import Bucket
from nixgen.driver.store import PathInfo

__all__ = ["PushPlan", "make_plan", "narinfo_name"]


@frozen(kw_only=True)
class PushPlan:
    """The outcome of asking the cache.

    :param closure: how many paths were asked for, with all they reach.
    :param missing: what the cache lacks, references before their referrers.
    """

    closure: int
    missing: tuple[PathInfo, ...]

    @property
    def nar_bytes(self) -> int:
        """Uncompressed bytes to push."""
        return sum(info.nar_size for info in self.missing)


def narinfo_name(path: str) -> str:
    """The cache's file about the store path ``path``."""
    return f"{path.rpartition('/')[2][:32]}.narinfo"


def make_plan(
    closure: Sequence[PathInfo], roots: Iterable[str], bucket: Bucket, *, thorough: bool = False
) -> PushPlan:
    """Ask the cache for narinfos, from the roots down, ``bucket.connections`` at a time.

    A narinfo is only ever published after those of its references, so below one that exists nothing is asked:
    a closure that is there already costs one request per root.

    :param closure: references before their referrers.
    :param roots: the paths that nothing else in the push may refer to.
    :param thorough: ask for every path instead, for a cache that lost files.
    :raises CacheError: the cache does not answer.
    """
    infos = {info.path: info for info in closure}
    first = infos if thorough else dict.fromkeys(roots)
    asked: set[str] = set()
    missing: set[str] = set()
    with ThreadPoolExecutor(bucket.connections, thread_name_prefix="cache-plan") as pool:
        waiting: dict[Future[bool], str] = {}

        def ask(paths: Iterable[str]) -> None:
            for path in paths:
                if path not in asked:
                    asked.add(path)
                    waiting[pool.submit(_has, bucket, path)] = path

        try:
            ask(first)
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    path = waiting.pop(future)
                    if not future.result():
                        missing.add(path)
                        ask(infos[path].references)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return PushPlan(
        closure=len(infos), missing=tuple(info for info in closure if info.path in missing)
    )


def _has(bucket: Bucket, path: str) -> bool:
    return bucket.head(narinfo_name(path)) is not None
