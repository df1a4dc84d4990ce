"""Find the packages that must become one store path: those of a cycle, and those of a unit of the
policy.

A derivation cannot refer to itself through another one, but Debian has cycles: libc6 needs
libgcc-s1, which needs libc6. So strongly connected components become units, and the graph of units
has no cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

__all__ = ["components"]


def components(
    edges: Mapping[str, tuple[str, ...]], together: Callable[[str], str | None]
) -> Mapping[str, tuple[str, ...]]:
    """The units of two or more packages. The name of a unit is that of the policy, or its first
    package.

    :param edges: package → the packages that it depends on, each with an entry of its own.
    :param together: returns the unit of the policy that a package belongs to, or None.
    """
    # A ring of extra edges makes one component of a unit of the policy.
    groups: dict[str, list[str]] = {}
    for name in sorted(edges):
        group = together(name)
        if group is not None:
            groups.setdefault(group, []).append(name)
    graph = {name: list(targets) for name, targets in edges.items()}
    for members in groups.values():
        for member, following in zip(members, [*members[1:], members[0]], strict=True):
            graph[member].append(following)
    units = {}
    for members in _strongly_connected(graph):
        if len(members) > 1:
            named = {together(member) for member in members} - {None}
            name = min(str(n) for n in named) if named else min(members)
            units[name] = tuple(sorted(members))
    return dict(sorted(units.items()))


def _strongly_connected(graph: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Tarjan's algorithm with an explicit stack: R. Tarjan, SIAM J. Comput. 1 (1972), 146-160."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    for start in sorted(graph):
        if start in number:
            continue
        work: list[tuple[str, Iterator[str]]] = [(start, iter(graph[start]))]
        number[start] = low[start] = len(number)
        path.append(start)
        on_path.add(start)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in number:
                    number[target] = low[target] = len(number)
                    path.append(target)
                    on_path.add(target)
                    work.append((target, iter(graph[target])))
                    break
                if target in on_path:
                    low[node] = min(low[node], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    cut = path.index(node)
                    yield path[cut:]
                    on_path.difference_update(path[cut:])
                    del path[cut:]
