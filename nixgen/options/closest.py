"""Suggest existing options for the path of an option that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

import attrs

from nixgen.options.path import show
from nixgen.options.stub import Node

__all__ = ["closest"]

#: how alike two names have to be, from 0 to 1
_ALIKE = 0.67
#: how many ways through the tree are followed at a time
_WAYS = 4
_SHOWN = 3
#: how much more than the best suggestion another suggestion may cost
_WORSE = 0.15

Names = tuple[str, ...]


@attrs.frozen
class _Way:
    """A path through the tree of options.

    :param cost: How much the path differs from the given one; 0 if every name is the same.
    """

    cost: float
    path: Names
    node: Node


def closest(path: Sequence[str], root: Node) -> tuple[str, ...]:
    """At most three options or sets of options that are most like ``path``, the likeliest first.

    ``services.postgres.enable`` has a misspelt name, ``postgresql.enable`` lacks its beginning, and
    ``services.openssh.port`` lies further down in the tree.

    :param path: The names in the path of an option that does not exist.
    :param root: The top of the tree of options.
    """
    names = tuple(path)
    ways: Iterable[Names] = ()
    if root.child(names[0]) is None:
        ways = _ending_in(names, root.options())
    ways = tuple(ways) or _mended(names, root) or _below(names, root) or _like(names, root)
    return tuple(map(show, ways[:_SHOWN]))


def _mended(path: Names, root: Node) -> tuple[Names, ...]:
    """Paths in which each name is the given one or a similar one."""
    ways = [_Way(0, (), root)]
    for name in path:
        steps = [step for way in ways for step in _steps(way, name)]
        ways = sorted(steps, key=lambda way: way.cost)[:_WAYS]
    return tuple(way.path for way in ways if way.cost <= ways[0].cost + _WORSE)


def _steps(way: _Way, name: str) -> Iterator[_Way]:
    exact = way.node.child(name)
    if exact is not None:
        yield _Way(way.cost, (*way.path, name), exact)
    member = way.node.member()
    if member is not None:
        yield _Way(way.cost, (*way.path, name), member)
    known = {other.casefold(): other for other in way.node.names() if other != name}
    for folded in difflib.get_close_matches(name.casefold(), known, n=_WAYS, cutoff=_ALIKE):
        other = known[folded]
        child = way.node.child(other)
        if child is not None and child.removed is None:
            cost = 1 - difflib.SequenceMatcher(a=folded, b=name.casefold()).ratio()
            yield _Way(way.cost + cost + 0.01, (*way.path, other), child)


def _below(path: Names, root: Node) -> tuple[Names, ...]:
    """Options with the same last name, further down in the set that the path begins with."""
    node, depth = root, 0
    while depth < len(path) and (child := node.child(path[depth])) is not None:
        node, depth = child, depth + 1
    if depth < 2:  # all of NixOS, or all services
        return ()
    last = path[-1].casefold()
    found = [way for way in node.options() if way[-1].casefold() == last]
    return tuple(sorted(found, key=len))


def _ending_in(path: Names, options: Iterable[Names]) -> tuple[Names, ...]:
    return tuple(sorted((way for way in options if way[-len(path) :] == path), key=len))


def _like(path: Names, root: Node) -> tuple[Names, ...]:
    """Options with the same last name and a similar path."""
    alike = difflib.SequenceMatcher(b=show(path))
    ranked = []
    for way in _ending_in(path[-1:], root.options()):
        alike.set_seq1(show(way))
        if alike.quick_ratio() > _ALIKE and alike.ratio() > _ALIKE:
            ranked.append((-alike.ratio(), way))
    return tuple(way for _, way in sorted(ranked))
