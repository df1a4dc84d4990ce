"""What a cache lacks of a whole project, and which part of that is whose.

The unit is a target in an environment on a system. Shards are made by hashing its name, so that one that is added, or goes, moves
no other from shard to shard.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.presence import Presence
from nixgen.cache.format.names import narinfo_name
from nixgen.cache.push.missing import make_plan
from nixgen.cache.push.upstream import Upstream
from nixgen.driver.evaluate import Target
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import UsageError

__all__ = ["Shard", "State", "WarmPlan", "WarmRow", "Work", "make_warm_plan"]

State: TypeAlias = Literal["cached", "to push", "to build", "cannot be built here", "failed"]


@frozen(kw_only=True)
class Work:
    """A target to be had from the cache.

    :param attr: such as ``machines.web``.
    :param environment: None for the project as it stands.
    :param system: such as ``x86_64-linux``.
    """

    attr: str
    environment: str | None
    system: str

    def __str__(self) -> str:
        place = f" in {self.environment}" if self.environment else ""
        return f"{self.attr}{place} on {self.system}"


@frozen
class Shard:
    """The ``index``-th of ``count`` parts of all work, from 1. Together they are everything, and no two share anything."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """:raises UsageError: not ``I/N`` with 1 ≤ I ≤ N."""
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.index <= shard.count:
            raise UsageError(
                f"{text!r} is no shard",
                hint="write it like 2/5: the second of five, from 1/5 to 5/5",
            )
        return shard

    def holds(self, work: Work) -> bool:
        name = f"{work.attr}|{work.environment or ''}|{work.system}"
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@frozen(kw_only=True)
class WarmRow:
    """What there is to do for one piece of work.

    :param target: None when it could not be evaluated.
    :param missing: of its closure, what the cache lacks; known when the store has all of it.
    :param builds: derivations to build before it is there, itself among them.
    :param error: why it failed.
    """

    work: Work
    target: Target | None
    state: State
    missing: tuple[PathInfo, ...] = ()
    builds: tuple[str, ...] = ()
    error: str | None = None

    def document(self) -> dict[str, Any]:
        exact = self.state in ("cached", "to push")
        return {
            "attr": self.work.attr,
            "environment": self.work.environment,
            "system": self.work.system,
            "drv": self.target and self.target.drv,
            "outputs": dict(self.target.outputs) if self.target else {},
            "state": self.state,
            "missingPaths": len(self.missing) if exact else None,
            "missingBytes": sum(info.nar_size for info in self.missing) if exact else None,
            "builds": len(self.builds),
            "error": self.error,
        }


@frozen(kw_only=True)
class WarmPlan:
    """What a cache lacks. Sums count what several pieces of work share once.

    :param cache: its address.
    """

    cache: str
    rows: tuple[WarmRow, ...]

    @property
    def missing(self) -> Mapping[str, int]:
        """Paths to push that the store has, with the bytes of their NARs."""
        return {info.path: info.nar_size for row in self.rows for info in row.missing}

    @property
    def builds(self) -> frozenset[str]:
        """Derivations to build, here or elsewhere."""
        return frozenset(drv for row in self.rows for drv in row.builds)

    def of(self, *states: State) -> tuple[WarmRow, ...]:
        return tuple(row for row in self.rows if row.state in states)

    def outputs(self, *states: State) -> list[str]:
        """The output paths of those in one of ``states``."""
        return [
            path
            for row in self.of(*states)
            if row.target is not None
            for path in row.target.outputs.values()
        ]

    def document(self) -> dict[str, Any]:
        """The targets and the sums of schema nixgen/cache-warm/1."""
        missing = self.missing
        return {
            "cache": self.cache,
            "targets": [row.document() for row in self.rows],
            "missingPaths": len(missing),
            "missingBytes": sum(missing.values()),
            "builds": len(self.builds),
        }


def make_warm_plan(
    wanted: Sequence[tuple[Work, Target]],
    *,
    store: Store,
    bucket: Bucket,
    buildable: Callable[[str], bool],
    upstreams: Sequence[Upstream] = (),
) -> WarmPlan:
    """Ask the cache for the outputs, and what it lacks of those that the store has; count the builds of the others.

    A cache that has an output has all that it refers to, see `make_plan`.

    :param buildable: whether something here can build for a system.
    :raises CacheError: the cache does not answer.
    :raises StoreError: a derivation that was evaluated is gone.
    """
    presence = Presence(bucket)
    outputs = {path for _, target in wanted for path in target.outputs.values()}
    there = _in_cache(outputs, presence)
    valid = store.valid(outputs - there)
    local = [
        t
        for _, t in wanted
        if not there.issuperset(t.outputs.values()) and valid | there >= set(t.outputs.values())
    ]
    roots = sorted({path for target in local for path in target.outputs.values()} - there)
    closure = store.closure(roots)
    plan = make_plan(closure, roots, bucket, upstreams=upstreams)
    lacking = {info.path: info for info in plan.missing}
    infos = {info.path: info for info in closure}
    absent = {
        target.drv
        for _, target in wanted
        if not (valid | there).issuperset(target.outputs.values())
    }
    graph = _to_build(absent, store, presence)

    def row(work: Work, target: Target) -> WarmRow:
        paths = set(target.outputs.values())
        if paths <= there:
            return WarmRow(work=work, target=target, state="cached")
        if paths <= valid | there:
            reached = _reach(paths - there, lambda path: infos[path].references)
            missing = tuple(lacking[path] for path in sorted(reached & lacking.keys()))
            return WarmRow(
                work=work, target=target, state="to push" if missing else "cached", missing=missing
            )
        return WarmRow(
            work=work,
            target=target,
            state="to build" if buildable(work.system) else "cannot be built here",
            builds=tuple(
                sorted(_reach([target.drv], lambda drv: graph.get(drv, ())) & graph.keys())
            ),
        )

    return WarmPlan(cache=str(bucket.location), rows=tuple(row(*item) for item in wanted))


def _in_cache(paths: Iterable[str], presence: Presence) -> set[str]:
    names = {path: narinfo_name(path) for path in paths}
    there = presence.among(names.values())
    return {path for path, name in names.items() if name in there}


def _to_build(drvs: Iterable[str], store: Store, presence: Presence) -> dict[str, tuple[str, ...]]:
    """Derivations of whose outputs neither store nor cache has all, with the derivations that they are built from.

    Looked for from ``drvs`` down: what a finished derivation was made from need not be there.
    """
    found: dict[str, tuple[str, ...]] = {}
    level = set(drvs)
    seen = set(level)
    while level:
        outputs = store.outputs(level)
        every = {path for paths in outputs.values() for path in paths}
        available = store.valid(every)
        available |= _in_cache(every - available, presence)
        unbuilt = [drv for drv in sorted(level) if not available.issuperset(outputs.get(drv, ()))]
        for info in store.info(unbuilt):
            found[info.path] = tuple(path for path in info.references if path.endswith(".drv"))
        level = {path for drv in unbuilt for path in found[drv]} - seen
        seen |= level
    return found


def _reach(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    pending = list(start)
    reached = set(pending)
    while pending:
        new = [path for path in following(pending.pop()) if path not in reached]
        reached.update(new)
        pending += new
    return reached
