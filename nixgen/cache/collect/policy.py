"""The rules of a collection: which generations of which targets are kept. Pure functions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

from nixgen.cache.collect.snapshot import Generation
from nixgen.store.path import path_digest

__all__ = ["GcPolicy", "Selection", "select"]

_DAY = timedelta(days=1)


@frozen(kw_only=True)
class GcPolicy:
    """The rules of a collection.

    :param keep: how many generations stay of each target of each project in each environment;
        generations with equal outputs count once.
    :param older_than: only generations older than this may go, whatever the other rules say.
    :param max_bytes: the oldest generations go, also some of ``keep``, until the rest takes no more
        than this; never the newest generation of a target.
    :param min_age: only objects older than this may go: a push without a lease may be under way.
    :param grace: how long an object must have been found dead before it is removed.
    """

    keep: int = 3
    older_than: timedelta | None = None
    max_bytes: int | None = None
    min_age: timedelta = _DAY
    grace: timedelta = _DAY


@frozen(kw_only=True)
class Selection:
    """The kept targets, and the roots that go.

    :param starts: digests of the store paths of all kept targets.
    :param dropped: for each root without a kept target, by name, the reason.
    """

    starts: frozenset[str] = frozenset()
    dropped: Mapping[str, str] = field(factory=dict)


def select(
    generations: Sequence[Generation],
    policy: GcPolicy,
    now: datetime,
    weigh: Callable[[frozenset[str]], int],
) -> Selection:
    """Apply the rules.

    :param generations: all roots of the cache.
    :param policy: the rules.
    :param now: by the server's clock.
    :param weigh: the bytes of the cache if it kept these digests, and everything that stays anyhow.
    """
    holdings = _holdings(generations)
    kept, whys = _newest(holdings, policy, now)
    if policy.max_bytes is not None:
        kept = _shrink(kept, policy.max_bytes, weigh)
    held = {each.root for each in kept}
    return Selection(
        starts=_starts(kept),
        dropped={
            name: whys.get(name, "the cache is to be smaller")
            for name in (each.root.name for each in generations)
            if name not in held
        },
    )


@frozen(kw_only=True)
class _Holding:
    """One target in one generation.

    :param root: the name of the generation's document.
    :param generation: its identifier, which sorts by time.
    :param target: project, environment and attribute.
    :param parts: digests of the target's outputs.
    :param written: when the server received the root.
    :param further: whether it is old enough to go, and not the newest of its target.
    """

    root: str
    generation: str
    target: tuple[str, str, str]
    parts: frozenset[str]
    written: datetime
    further: bool = False


def _holdings(generations: Sequence[Generation]) -> list[_Holding]:
    """Each target of each generation, the newest first."""
    return [
        _Holding(
            root=each.root.name,
            generation=each.root.generation,
            target=(each.root.project, each.root.environment, attr),
            parts=frozenset(map(path_digest, outputs.values())),
            written=each.written,
        )
        for each in sorted(generations, key=lambda each: each.root.generation, reverse=True)
        for attr, outputs in each.root.targets.items()
    ]


def _newest(
    holdings: Sequence[_Holding], policy: GcPolicy, now: datetime
) -> tuple[list[_Holding], dict[str, str]]:
    """The holdings that stay: the newest of each target, and those that are too young to go.

    :returns: and for each root without one of them, the reason.
    """
    least = max(policy.min_age, policy.older_than or timedelta())
    seen: dict[tuple[str, str, str], list[frozenset[str]]] = {}
    kept: list[_Holding] = []
    whys: dict[str, str] = {}
    for each in holdings:
        before = seen.setdefault(each.target, [])
        first, again, young = not before, each.parts in before, now - each.written < least
        if not again:
            before.append(each.parts)
        if young or (not again and len(before) <= policy.keep):
            kept.append(evolve(each, further=not first and not young))
        else:
            enough = f"--keep {policy.keep}, and as many are newer"
            whys.setdefault(each.root, "a newer one is the same" if again else enough)
    for root in {each.root for each in kept}:
        whys.pop(root, None)
    return kept, whys


def _shrink(
    kept: list[_Holding], most: int, weigh: Callable[[frozenset[str]], int]
) -> list[_Holding]:
    """Leave out the oldest further generations until the rest takes at most ``most`` bytes."""
    order = sorted({each.generation for each in kept if each.further})

    def without(count: int) -> list[_Holding]:
        gone = set(order[:count])
        return [each for each in kept if not (each.further and each.generation in gone)]

    # The more go, the less stays, so that the smallest number that will do is found by bisection.
    return without(
        bisect_left(
            range(len(order)), True, key=lambda count: weigh(_starts(without(count))) <= most
        )
    )


def _starts(holdings: Iterable[_Holding]) -> frozenset[str]:
    return frozenset(part for each in holdings for part in each.parts)
