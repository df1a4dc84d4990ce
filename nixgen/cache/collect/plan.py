"""The plan of a removal: which objects may go, why, and in which order. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal

from attrs import evolve, frozen

from nixgen.cache.bucket.inventory import Inventory
from nixgen.cache.collect.graph import NarinfoGraph
from nixgen.cache.collect.policy import GcPolicy, Selection, select
from nixgen.cache.collect.snapshot import Snapshot
from nixgen.cache.format.names import LISTING, NAR, NARS, listing_name, narinfo_name, object_digest
from nixgen.store.path import path_digest

__all__ = ["Doomed", "GcPlan", "batches", "make_plan", "nar_hash", "with_referrers"]

Kind = Literal["root", "path", "listing", "log", "realisation", "nar"]

_BATCH = 1000  # S3 deletes no more in one request
_PHASES = {"root": 0, "path": 1, "listing": 2, "log": 2, "realisation": 2, "nar": 3}


@frozen(kw_only=True)
class Doomed:
    """An object that is to be removed.

    :param kind: what it is; a ``path`` is a narinfo.
    :param name: of the object in the cache.
    :param path: the store path that a narinfo describes; None for other objects.
    :param size: bytes.
    :param why: a few words.
    :param step: objects with a lower step must be gone before.
    :param paths: digests of store paths; a push that needs one of them needs the object.
    :param nars: NAR hashes in base 32, in the same way.
    """

    kind: Kind
    name: str
    path: str | None = None
    size: int
    why: str
    step: tuple[int, int]
    paths: frozenset[str] = frozenset()
    nars: frozenset[str] = frozenset()


@frozen(kw_only=True)
class GcPlan:
    """The dead objects of a cache, and a count of the living.

    :param doomed: the dead, in the order in which they may go.
    :param kept_paths: number of narinfos that stay.
    :param kept_bytes: bytes of these narinfos, their listings and their archives.
    :param problems: a sentence for each narinfo that cannot be understood, and so is left alone.
    """

    doomed: tuple[Doomed, ...]
    kept_paths: int
    kept_bytes: int
    problems: tuple[str, ...] = ()


def make_plan(snapshot: Snapshot, policy: GcPolicy) -> GcPlan:
    """Find the dead objects of a cache.

    :param snapshot: the cache.
    :param policy: the rules of the collection.
    """
    planning = _Planning(snapshot, policy)
    graph, always = planning.graph, planning.always()
    selection = select(
        snapshot.generations,
        policy,
        snapshot.now,
        lambda starts: planning.weigh(graph.reachable(starts | always)),
    )
    live = graph.reachable(selection.starts | always)
    doomed = [
        *planning.roots(selection),
        *planning.paths(live),
        *planning.companions(live),
        *planning.nars(live),
    ]
    return GcPlan(
        doomed=tuple(sorted(doomed, key=lambda each: (each.step, each.name))),
        kept_paths=len(live),
        kept_bytes=planning.weigh(live),
        problems=tuple(
            f"{digest}.narinfo is left alone: {broken.reason}"
            for digest, broken in graph.corrupt.items()
        ),
    )


def with_referrers(inventory: Inventory, names: Iterable[str]) -> tuple[Doomed, ...]:
    """Plan the removal of narinfos that clients cannot use, with all that reach them.

    Each narinfo goes together with its listing. Archives are left to a collection.

    :param inventory: the contents of the cache.
    :param names: of narinfos, also of some that cannot be read or are missing.
    """
    graph = NarinfoGraph(inventory)
    doomed = graph.reaching(map(object_digest, names))
    layers = graph.layers(doomed)
    # No store can hold a circle of references, but a damaged cache can: its paths go last, at once.
    circle = sorted(doomed.difference(*layers))
    return tuple(
        Doomed(
            kind=kind,
            name=name,
            size=inventory.size(name),
            why="clients cannot get it",
            step=(_PHASES["path"], level),
            paths=frozenset((digest,)),
        )
        for level, layer in enumerate([*layers, circle])
        for digest in layer
        for kind, name in _files(digest)
    )


def batches(doomed: Iterable[Doomed]) -> Iterator[tuple[Doomed, ...]]:
    """Cut a plan into the objects that may be removed by one request, at most a thousand.

    :param doomed: in the order of a plan.
    """
    for _, step in groupby(doomed, key=lambda each: each.step):
        group = tuple(step)
        for start in range(0, len(group), _BATCH):
            yield group[start : start + _BATCH]


def nar_hash(name: str) -> str | None:
    """The hash of a NAR in base 32, from the name of its archive; None for other names.

    :param name: of an object in the cache.
    """
    found = NAR.fullmatch(name)
    return found and found[1]


def _files(digest: str) -> tuple[tuple[Kind, str], tuple[Kind, str]]:
    return ("path", narinfo_name(digest)), ("listing", listing_name(digest))


class _Planning:
    def __init__(self, snapshot: Snapshot, policy: GcPolicy) -> None:
        self._cache = snapshot
        self._objects = snapshot.inventory.objects
        self._size = snapshot.inventory.size
        self._policy = policy
        self.graph = NarinfoGraph(snapshot.inventory)

    def always(self) -> frozenset[str]:
        """Digests of the paths that stay whatever becomes of the roots."""
        starts = {digest for lease in self._cache.leases for digest in lease.paths}
        starts |= {path_digest(path) for pin in self._cache.pins for path in pin.paths}
        starts |= {digest for digest in self.graph.infos if self._young(narinfo_name(digest))}
        # What a corrupt narinfo refers to, so that repairing it does not make a dangling one.
        starts |= {each for broken in self.graph.corrupt.values() for each in broken.references}
        return frozenset(starts)

    def weigh(self, live: frozenset[str]) -> int:
        """Bytes of these paths' narinfos, listings and archives; a shared archive counts once."""
        names = {name for digest in live for _, name in _files(digest)}
        names |= {self.graph.infos[digest].url for digest in live}
        return sum(map(self._size, names))

    def roots(self, selection: Selection) -> Iterator[Doomed]:
        """The documents of generations that hold no kept target."""
        for name, why in selection.dropped.items():
            yield self._doomed("root", name, why)

    def paths(self, live: frozenset[str]) -> Iterator[Doomed]:
        """The narinfos of dead paths."""
        layers = self.graph.layers(self.graph.infos.keys() - live)
        for level, layer in enumerate(layers):
            for digest in layer:
                found = self._doomed(
                    "path", narinfo_name(digest), "nothing that is kept reaches it", {digest}
                )
                path = self.graph.infos[digest].store_path
                yield evolve(found, path=path, step=(_PHASES["path"], level))

    def companions(self, live: frozenset[str]) -> Iterator[Doomed]:
        """Listings, logs and realisations of paths that go or have gone."""
        stay = live | self.graph.corrupt.keys()
        derivers: dict[str, set[str]] = {}
        for digest, info in self.graph.infos.items():
            if info.deriver:
                derivers.setdefault(info.deriver, set()).add(digest)
        for name in self._objects:
            kind: Kind
            if LISTING.fullmatch(name):
                kind, paths = "listing", {object_digest(name)}
            elif name.startswith("log/"):
                kind, paths = "log", derivers.get(name.removeprefix("log/"), set())
            elif realised := self._cache.realisations.get(name):
                kind, paths = "realisation", {realised}
            else:
                continue
            # A corrupt narinfo may be by any deriver.
            unsure = kind == "log" and self.graph.corrupt
            if stay.isdisjoint(paths) and not unsure and not self._young(name):
                known = not paths.isdisjoint(self.graph.infos)
                why = "its path goes" if known else "its path is not in the cache"
                yield self._doomed(kind, name, why, paths)

    def nars(self, live: frozenset[str]) -> Iterator[Doomed]:
        """Archives that no narinfo of a kept path, and no lease, names."""
        corrupt = self.graph.corrupt.values()
        if any(broken.url is None for broken in corrupt):
            return  # it may name any of them
        stay = {self.graph.infos[digest].url for digest in live} | {each.url for each in corrupt}
        leased = {digest for lease in self._cache.leases for digest in lease.paths.values()}
        for name in self._objects:
            digest = nar_hash(name)
            if not name.startswith(NARS) or name in stay or digest in leased or self._young(name):
                continue
            paths = self.graph.users(name)
            why = "its paths go" if paths else "no narinfo names it"
            yield self._doomed("nar", name, why, paths, (digest,) if digest else ())

    def _doomed(
        self, kind: Kind, name: str, why: str, paths: Iterable[str] = (), nars: Iterable[str] = ()
    ) -> Doomed:
        return Doomed(
            kind=kind,
            name=name,
            size=self._size(name),
            why=why,
            step=(_PHASES[kind], 0),
            paths=frozenset(paths),
            nars=frozenset(nars),
        )

    def _young(self, name: str) -> bool:
        age = self._cache.now - self._objects[name].modified
        return age < self._policy.min_age
