"""What is dead in a cache, why, and in which order it may go. Pure: from a snapshot and rules to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Literal

from attrs import field, frozen

from nixgen.cache.collect.policy import GcPolicy, Selection, select
from nixgen.cache.collect.snapshot import Snapshot
from nixgen.cache.format.names import LISTING, NAR, NARS, listing_name, narinfo_name, object_digest
from nixgen.store.path import path_digest

__all__ = ["Doomed", "GcPlan", "batches", "make_plan", "nar_hash"]

Kind = Literal["root", "path", "listing", "log", "realisation", "nar"]

_BATCH = 1000  # S3 deletes no more in one request
_PHASES = {"root": 0, "path": 1, "listing": 2, "log": 2, "realisation": 2, "nar": 3}


@frozen(kw_only=True)
class Doomed:
    """An object that nothing keeps.

    :param path: the store path that a narinfo is about; None for other objects.
    :param size: bytes.
    :param why: a few words.
    :param step: objects of a lower one must be gone before.
    :param paths: hash parts: a lease or root that names one of them spares the object.
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
    """The outcome of planning.

    :param doomed: in the order in which they may go.
    :param kept_paths: narinfos that stay.
    :param kept_bytes: of them, with their listings and NARs.
    :param problems: what could not be understood, and so was left alone.
    """

    doomed: tuple[Doomed, ...]
    selection: Selection = field(factory=Selection)
    kept_paths: int
    kept_bytes: int
    problems: tuple[str, ...] = ()


def make_plan(snapshot: Snapshot, policy: GcPolicy) -> GcPlan:
    """Find out what is dead."""
    planning = _Planning(snapshot, policy)
    always = planning.always()
    selection = select(
        snapshot.generations,
        policy,
        snapshot.now,
        lambda starts: planning.weigh(snapshot.reachable(starts | always)),
    )
    live = snapshot.reachable(selection.starts | always)
    doomed = [
        *planning.roots(selection),
        *planning.paths(live),
        *planning.companions(live),
        *planning.nars(live),
    ]
    return GcPlan(
        doomed=tuple(sorted(doomed, key=lambda each: (each.step, each.name))),
        selection=selection,
        kept_paths=len(live),
        kept_bytes=planning.weigh(live),
        problems=tuple(f"{each.name} is left alone: {each.reason}" for each in snapshot.corrupt),
    )


def batches(doomed: Iterable[Doomed]) -> Iterator[tuple[Doomed, ...]]:
    """At most a thousand at a time, and none together with what must go before it.

    :param doomed: in the order of a plan.
    """
    for _, step in groupby(doomed, key=lambda each: each.step):
        group = tuple(step)
        for start in range(0, len(group), _BATCH):
            yield group[start : start + _BATCH]


def nar_hash(name: str) -> str | None:
    """In base 32, of an object that is named by it; None for other names."""
    found = NAR.fullmatch(name)
    return found and found[1]


class _Planning:
    def __init__(self, snapshot: Snapshot, policy: GcPolicy) -> None:
        self._held = snapshot
        self._policy = policy
        self._corrupt = {object_digest(each.name) for each in snapshot.corrupt}

    def always(self) -> frozenset[str]:
        """Hash parts that stay whatever becomes of the roots."""
        held = self._held
        starts = {part for lease in held.leases for part in lease.paths}
        starts |= {path_digest(path) for pin in held.pins for path in pin.paths}
        starts |= {part for part in held.nodes if self._young(narinfo_name(part))}
        # What a corrupt narinfo refers to, so that repairing it does not make a dangling one.
        starts |= {part for broken in held.corrupt for part in broken.references}
        return frozenset(starts)

    def weigh(self, live: frozenset[str]) -> int:
        """Bytes of these paths' narinfos, listings and NARs; a NAR that several name counts once."""
        names = {*map(narinfo_name, live), *map(listing_name, live)}
        names |= {self._held.nodes[part].url for part in live}
        return sum(self._size(name) for name in names)

    def roots(self, selection: Selection) -> Iterator[Doomed]:
        sizes = {each.root.name: each.size for each in self._held.generations}
        for name, why in selection.dropped.items():
            yield Doomed(
                kind="root", name=name, size=sizes[name], why=why, step=(_PHASES["root"], 0)
            )

    def paths(self, live: frozenset[str]) -> Iterator[Doomed]:
        dead = self._held.nodes.keys() - live
        for part, level in self._levels(dead).items():
            yield Doomed(
                kind="path",
                name=narinfo_name(part),
                path=self._held.nodes[part].store_path,
                size=self._size(narinfo_name(part)),
                why="nothing that is kept reaches it",
                step=(_PHASES["path"], level),
                paths=frozenset((part,)),
            )

    def companions(self, live: frozenset[str]) -> Iterator[Doomed]:
        """Listings, logs and realisations of paths that go or have gone."""
        held = self._held
        stay = live | self._corrupt
        derivers: dict[str, set[str]] = {}
        for part, node in held.nodes.items():
            if node.deriver:
                derivers.setdefault(node.deriver, set()).add(part)
        for name in held.objects:
            parts: frozenset[str]
            if LISTING.fullmatch(name):
                kind: Kind = "listing"
                parts = frozenset((object_digest(name),))
            elif name.startswith("log/"):
                kind = "log"
                parts = frozenset(derivers.get(name.removeprefix("log/"), ()))
            elif realised := held.realisations.get(name):
                kind = "realisation"
                parts = frozenset((realised,))
            else:
                continue
            # A corrupt narinfo may be by any deriver.
            unsure = kind == "log" and self._corrupt
            if stay.isdisjoint(parts) and not unsure and not self._young(name):
                known = not parts.isdisjoint(held.nodes)
                why = "its path goes" if known else "its path is not in the cache"
                yield self._companion(kind, name, why, parts)

    def nars(self, live: frozenset[str]) -> Iterator[Doomed]:
        held = self._held
        if any(broken.url is None for broken in held.corrupt):
            return  # it may name any of them
        named: dict[str, set[str]] = {}
        for part, node in held.nodes.items():
            named.setdefault(node.url, set()).add(part)
        stay = {held.nodes[part].url for part in live} | {each.url for each in held.corrupt}
        leased = {hash_ for lease in held.leases for hash_ in lease.paths.values()}
        for name in held.objects:
            digest = nar_hash(name)
            if not name.startswith(NARS) or name in stay or digest in leased or self._young(name):
                continue
            parts = frozenset(named.get(name, ()))
            why = "its paths go" if parts else "no narinfo names it"
            yield self._companion("nar", name, why, parts, frozenset((digest,) if digest else ()))

    def _companion(
        self,
        kind: Kind,
        name: str,
        why: str,
        paths: frozenset[str],
        nars: frozenset[str] = frozenset(),
    ) -> Doomed:
        return Doomed(
            kind=kind,
            name=name,
            size=self._size(name),
            why=why,
            step=(_PHASES[kind], 0),
            paths=paths,
            nars=nars,
        )

    def _levels(self, dead: Iterable[str]) -> dict[str, int]:
        """Each dead path's distance from those that nothing refers to, the longest way: referrers first.

        Paths that refer to each other in a circle, which Nix never makes, are left out.
        """
        nodes = self._held.nodes
        waits = dict.fromkeys(dead, 0)
        for part in waits:
            for reference in nodes[part].references & waits.keys():
                waits[reference] += 1
        levels: dict[str, int] = {}
        ready = [part for part, count in waits.items() if not count]
        level = 0
        while ready:
            levels.update(dict.fromkeys(ready, level))
            level += 1
            following = []
            for part in ready:
                for reference in nodes[part].references & waits.keys():
                    waits[reference] -= 1
                    if not waits[reference]:
                        following.append(reference)
            ready = following
        return levels

    def _young(self, name: str) -> bool:
        return self._held.now - self._held.objects[name].modified < self._policy.min_age

    def _size(self, name: str) -> int:
        found = self._held.objects.get(name)
        return found.size if found else 0
