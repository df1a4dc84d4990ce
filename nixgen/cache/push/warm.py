"""Finds which targets of a project a cache lacks, and splits that work into shards.

The unit of work is a target in an environment on a system. Its shard follows from a hash of its
name, so that adding or removing other targets never moves it to another shard.
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
from nixgen.records.structure import to_json
from nixgen.store.reach import reach

__all__ = ["Shard", "State", "WarmPlan", "WarmRow", "Work", "make_warm_plan"]

State: TypeAlias = Literal["cached", "to push", "to build", "cannot be built here", "failed"]


@frozen(kw_only=True)
class Work:
    """One unit of work: a target that the cache is to have.

    :param attr: the target, such as ``machines.web``.
    :param environment: an environment of the project. None: the project as it stands.
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
    """One of several parts of all work. Each unit of work is in exactly one of them.

    :param index: of this part, from 1.
    :param count: of all parts.
    """

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read a shard from the command line.

        :param text: ``I/N`` with 1 ≤ I ≤ N.
        :raises UsageError: it is something else.
        """
        found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.index <= shard.count:
            raise UsageError(
                f"{text!r} is no shard",
                hint="write it like 2/5: the second of five, from 1/5 to 5/5",
            )
        return shard

    def holds(self, work: Work) -> bool:
        """Whether a unit of work is in this part.

        :param work: the unit.
        """
        name = f"{work.attr}|{work.environment or ''}|{work.system}"
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@frozen(kw_only=True)
class WarmRow:
    """One unit of work, and what the cache lacks of it.

    :param work: the unit.
    :param target: the evaluated target; None when its evaluation failed.
    :param state: whether it is in the cache, or what is to do.
    :param missing: the paths of its closure that the cache lacks; known when the store has all.
    :param builds: the derivations to build for it, its own among them.
    :param error: why it failed.
    """

    work: Work
    target: Target | None
    state: State
    missing: tuple[PathInfo, ...] = ()
    builds: tuple[str, ...] = ()
    error: str | None = None

    def document(self) -> dict[str, Any]:
        """A member of ``targets`` in schema nixgen/cache-warm/1."""
        exact = self.state in ("cached", "to push")
        return {
            **to_json(self.work),
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
    """The targets that a cache lacks. A path that several targets share counts once in sums.

    :param cache: the address of the cache.
    :param rows: one for each unit of work.
    """

    cache: str
    rows: tuple[WarmRow, ...]

    @property
    def missing(self) -> Mapping[str, int]:
        """The paths that the store has and the cache lacks → bytes of their NARs."""
        return {info.path: info.nar_size for row in self.rows for info in row.missing}

    @property
    def builds(self) -> frozenset[str]:
        """The derivations to build, here or elsewhere."""
        return frozenset(drv for row in self.rows for drv in row.builds)

    def of(self, *states: State) -> tuple[WarmRow, ...]:
        """The rows with one of some states.

        :param states: the states.
        """
        return tuple(row for row in self.rows if row.state in states)

    def outputs(self, *states: State) -> list[str]:
        """The output paths of the targets with one of some states.

        :param states: the states.
        """
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
    """Find out what a cache lacks of some targets.

    The cache is asked for the outputs, and for the closures of outputs that the store has; the
    builds of the other targets are counted. A cache that has an output has its references, too; see
    `make_plan`.

    :param wanted: units of work, and their evaluated targets.
    :param store: the store of this computer.
    :param bucket: the cache.
    :param buildable: whether this computer or a remote builder builds for a system.
    :param upstreams: caches to leave paths to; see `left_to_upstreams`.
    :raises CacheError: the cache does not answer.
    :raises StoreError: a derivation that was evaluated is gone.
    """
    presence = Presence(bucket)
    outputs = {path for _, target in wanted for path in target.outputs.values()}
    cached = _in_cache(outputs, presence)
    available = cached | store.valid(outputs - cached)
    targets = [target for _, target in wanted]
    local = [target for target in targets if available.issuperset(target.outputs.values())]
    roots = sorted({path for target in local for path in target.outputs.values()} - cached)
    closure = store.closure(roots)
    plan = make_plan(closure, roots, bucket, upstreams=upstreams)
    lacking = {info.path: info for info in plan.missing}
    infos = {info.path: info for info in closure}
    absent = {target.drv for target in targets} - {target.drv for target in local}
    graph = _to_build(absent, store, presence)

    def row(work: Work, target: Target) -> WarmRow:
        paths = set(target.outputs.values())
        if paths <= cached:
            return WarmRow(work=work, target=target, state="cached")
        if paths <= available:
            reached = reach(paths - cached, lambda path: infos[path].references)
            missing = tuple(lacking[path] for path in sorted(reached & lacking.keys()))
            return WarmRow(
                work=work, target=target, state="to push" if missing else "cached", missing=missing
            )
        return WarmRow(
            work=work,
            target=target,
            state="to build" if buildable(work.system) else "cannot be built here",
            builds=tuple(
                sorted(reach([target.drv], lambda drv: graph.get(drv, ())) & graph.keys())
            ),
        )

    return WarmPlan(cache=str(bucket.location), rows=tuple(row(*item) for item in wanted))


def _in_cache(paths: Iterable[str], presence: Presence) -> set[str]:
    names = {path: narinfo_name(path) for path in paths}
    present = presence.among(names.values())
    return {path for path, name in names.items() if name in present}


def _to_build(drvs: Iterable[str], store: Store, presence: Presence) -> dict[str, tuple[str, ...]]:
    """The derivations that must be built → the derivations that they depend on.

    A derivation must be built when an output is neither in the store nor in the cache. The search
    goes from ``drvs`` down, and ends at finished derivations: their dependencies may be missing.
    """
    graph: dict[str, tuple[str, ...]] = {}
    level = set(drvs)
    seen = set(level)
    while level:
        outputs = store.outputs(level)
        every = {path for paths in outputs.values() for path in paths}
        available = store.valid(every)
        available |= _in_cache(every - available, presence)
        unbuilt = [drv for drv in sorted(level) if not available.issuperset(outputs.get(drv, ()))]
        for info in store.info(unbuilt):
            graph[info.path] = tuple(path for path in info.references if path.endswith(".drv"))
        level = {path for drv in unbuilt for path in graph[drv]} - seen
        seen |= level
    return graph
