"""The nodes of a graph that are reached from some of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["reach"]


def reach(start: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """Follow the edges of a graph as far as they lead. Circles do no harm.

    :param start: nodes; they are part of the result.
    :param following: the nodes that an edge leads to from a node.
    """
    pending = list(start)
    reached = set(pending)
    while pending:
        new = [node for node in following(pending.pop()) if node not in reached]
        reached.update(new)
        pending += new
    return reached
