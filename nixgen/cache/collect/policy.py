"""Which generations of which targets are kept. Pure: from roots and rules to a selection."""

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

    :param keep: generations of each target of each project in each environment; those with equal outputs count once.
    :param older_than: younger generations stay, whatever the other rules say.
    :param max_bytes: older generations go beyond ``keep``, too, until what stays is not more; never the newest of a target.
    :param min_age: younger objects stay: a push that nixgen does not know may be under way.
    :param grace: how long something must have been found dead before it is removed.
    """

    keep: int = 3
    older_than: timedelta | None = None
    max_bytes: int | None = None
    min_age: timedelta = _DAY
    grace: timedelta = _DAY


@frozen(kw_only=True)
class Selection:
    """What the rules make of the roots.

    :param starts: hash parts of all kept targets.
    :param dropped: the name of each root none of whose targets is kept, and why.
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

    :param now: by the server's clock.
    :param weigh: bytes that stay when these hash parts are kept, with what is kept anyhow.
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

    :param root: the name of its document.
    :param target: project, environment and attribute.
    :param parts: hash parts of its outputs.
    :param further: older than another of the same target, and old enough to go.
    """

    root: str
    generation: str
    target: tuple[str, str, str]
    parts: frozenset[str]
    written: datetime
    further: bool = False


def _holdings(generations: Sequence[Generation]) -> list[_Holding]:
    """Newest first."""
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
    """The newest of each target, and those that are too young to go; and why others are not among them, by root."""
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
            same = (
                "a newer one is the same"
                if again
                else f"--keep {policy.keep}, and as many are newer"
            )
            whys.setdefault(each.root, same)
    for root in {each.root for each in kept}:
        whys.pop(root, None)
    return kept, whys


def _shrink(
    kept: list[_Holding], most: int, weigh: Callable[[frozenset[str]], int]
) -> list[_Holding]:
    """Without as many further generations, the oldest first, as it takes to fit."""
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
