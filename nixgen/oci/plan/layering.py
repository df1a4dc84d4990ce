"""Divides the store paths of all images of a project into layers.

1. Paths that exactly the same images use form a group. A layer has paths of one group only, so the
   whole project stores each path once, and no image has a path that it does not use.
2. In a group, neighbouring runs of paths are merged as long as one layer less is worth more than the
   bytes that a client will download again without need. A layer of S bytes with a change of
   likelihood W costs S·W per release, so to merge two layers costs S₁·W₂ + S₂·W₁. Runs are in the
   order of W/S, because the best division for such costs consists of runs in this order (moving one
   path between two layers changes the cost linearly in S and W).
3. While an image has more layers than the bound allows, the cheapest merge in any of its groups is
   done. When every group is one layer, and there are still too many, the smallest layers of the image
   are joined.

The weight of a path is its likelihood of a change. A Nix path changes when anything that it was built
from changes, so its weight grows with its closure. A path that no other refers to is the user's own
program, which changes with every release.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from nixgen.oci.plan.spec import PathEntry

__all__ = ["MAX_LAYERS", "LayerPlan", "plan_layers"]

#: The most store layers of an image. Overlay mounts allow 127, and other images are built on top.
MAX_LAYERS = 99

# The share of releases in which one package of the base changes; and the bytes of download that one
# layer less is worth (a request and its latency are about 100 KB on a fast link).
_CHANGE = 0.01
_LAYER_BYTES = 128 * 1024


@frozen(kw_only=True)
class LayerPlan:
    """The paths of one layer.

    :param paths: sorted, as they are in the tar.
    :param images: names of the images with this layer, sorted.
    :param size: bytes of all NARs.
    :param weight: likelihood of a change in a release, from 0 to 1.
    :param why: the reason of the layer, a sentence for `nixgen image explain`.
    """

    paths: tuple[PathEntry, ...]
    images: tuple[str, ...]
    size: int
    weight: float
    why: str


@frozen(kw_only=True)
class _Run:
    """Neighbouring paths of a group, which become a layer.

    :param paths: of the group.
    :param size: bytes of all NARs.
    :param weight: likelihood of a change in a release.
    :param joined: number of layers that were joined to stay within the bound; 0 for none.
    """

    paths: tuple[PathEntry, ...]
    size: int
    weight: float
    joined: int = 0


def plan_layers(
    images: Mapping[str, Sequence[PathEntry]], *, max_layers: int = MAX_LAYERS
) -> dict[str, tuple[LayerPlan, ...]]:
    """Divide the paths of images into layers.

    :param images: paths by image name, in any order. Equal paths must be equal entries.
    :param max_layers: the most layers of an image.
    :returns: the layers of each image; those of the most images, and of them the most stable, come
        first. A layer of several images is the same value in each.
    """
    users: dict[str, list[str]] = {}
    entries: dict[str, PathEntry] = {}
    for image in sorted(images):
        for entry in images[image]:
            users.setdefault(entry.path, []).append(image)
            entries[entry.path] = entry
    weights = _weights(entries)
    groups: dict[tuple[str, ...], list[PathEntry]] = {}
    for path in sorted(entries):
        groups.setdefault(tuple(users[path]), []).append(entries[path])
    merging = _Merging(groups, weights)
    merging.merge_while_cheap()
    for image in sorted(images):
        merging.merge_until_within(image, max_layers)
    layers = {
        image: _bounded(
            [
                _layer(run)
                for users in sorted(groups)
                if image in users
                for run in merging.runs(users)
            ],
            max_layers,
        )
        for image in sorted(images)
    }
    return _explained(layers)


def _weights(entries: Mapping[str, PathEntry]) -> dict[str, float]:
    """The weight of each path: it grows with the closure, and is 1 if no other path refers to it."""
    index = {path: bit for bit, path in enumerate(sorted(entries))}
    reach: dict[str, int] = {}
    for start in index:
        stack = [start]
        while stack:
            path = stack[-1]
            if path in reach:
                stack.pop()
                continue
            below = [
                reference
                for reference in entries[path].references
                if reference in entries and reference != path
            ]
            waiting = [reference for reference in below if reference not in reach]
            if waiting:
                stack.extend(waiting)
                continue
            bits = 1 << index[path]
            for reference in below:
                bits |= reach[reference]
            reach[path] = bits
            stack.pop()
    referred = {
        reference
        for entry in entries.values()
        for reference in entry.references
        if reference != entry.path
    }
    return {
        path: 1 - (1 - _CHANGE) ** reach[path].bit_count() if path in referred else 1.0
        for path in index
    }


class _Merging:
    """The runs of every group, and the possible merges of neighbours, by cost."""

    def __init__(
        self, groups: Mapping[tuple[str, ...], Sequence[PathEntry]], weights: Mapping[str, float]
    ) -> None:
        self._runs: dict[tuple[str, ...], list[_Run | None]] = {}
        self._heaps: dict[tuple[str, ...], list[tuple[float, int, int, int, int]]] = {}
        self._next: dict[tuple[str, ...], list[int]] = {}
        self._previous: dict[tuple[str, ...], list[int]] = {}
        self._age: dict[tuple[str, ...], list[int]] = {}
        self._count: dict[tuple[str, ...], int] = {}
        for users, paths in groups.items():
            ordered = sorted(
                paths,
                key=lambda entry: (weights[entry.path] / max(entry.nar_size, 1), entry.path),
            )
            count = len(ordered)
            self._runs[users] = [
                _Run(paths=(entry,), size=entry.nar_size, weight=weights[entry.path])
                for entry in ordered
            ]
            self._next[users] = [*range(1, count), -1]
            self._previous[users] = [*range(-1, count - 1)]
            self._age[users] = [0] * count
            self._count[users] = count
            self._heaps[users] = []
            for left in range(count - 1):
                self._offer(users, left)

    def runs(self, users: tuple[str, ...]) -> list[_Run]:
        return [run for run in self._runs[users] if run is not None]

    def merge_while_cheap(self) -> None:
        for users in self._runs:
            while (cost := self._cheapest(users)) is not None and cost <= _LAYER_BYTES:
                self._merge(users)

    def merge_until_within(self, image: str, bound: int) -> None:
        mine = sorted(users for users in self._runs if image in users)
        while sum(self._count[users] for users in mine) > bound:
            offers = [
                (cost, users) for users in mine if (cost := self._cheapest(users)) is not None
            ]
            if not offers:
                return
            self._merge(min(offers)[1])

    def _offer(self, users: tuple[str, ...], left: int) -> None:
        right = self._next[users][left]
        one, two = self._runs[users][left], self._runs[users][right]
        if one is None or two is None:
            return
        age = self._age[users]
        cost = one.size * two.weight + two.size * one.weight
        heapq.heappush(self._heaps[users], (cost, left, right, age[left], age[right]))

    def _cheapest(self, users: tuple[str, ...]) -> float | None:
        heap, age = self._heaps[users], self._age[users]
        while heap:
            cost, left, right, left_age, right_age = heap[0]
            if age[left] == left_age and age[right] == right_age:
                return cost
            heapq.heappop(heap)  # one side has been merged since
        return None

    def _merge(self, users: tuple[str, ...]) -> None:
        _, left, right, _, _ = heapq.heappop(self._heaps[users])
        runs, following, previous = self._runs[users], self._next[users], self._previous[users]
        one, two = runs[left], runs[right]
        if one is None or two is None:
            return
        runs[left] = _Run(
            paths=(*one.paths, *two.paths),
            size=one.size + two.size,
            weight=min(1.0, one.weight + two.weight),
        )
        runs[right] = None
        following[left] = following[right]
        if following[left] >= 0:
            previous[following[left]] = left
        self._age[users][left] += 1
        self._age[users][right] += 1
        self._count[users] -= 1
        if following[left] >= 0:
            self._offer(users, left)
        if previous[left] >= 0:
            self._offer(users, previous[left])


def _layer(run: _Run) -> _Run:
    return evolve(run, paths=tuple(sorted(run.paths, key=lambda entry: entry.path)))


def _bounded(layers: list[_Run], bound: int) -> list[_Run]:
    """Join the smallest layers of an image into one when there are more than ``bound``."""
    if len(layers) <= bound:
        return layers
    by_size = sorted(layers, key=lambda layer: (layer.size, layer.paths[0].path))
    extra = len(layers) - bound + 1
    small = by_size[:extra]
    joined = _Run(
        paths=tuple(entry for layer in small for entry in layer.paths),
        size=sum(layer.size for layer in small),
        weight=min(1.0, sum(layer.weight for layer in small)),
        joined=extra,
    )
    return [*by_size[extra:], _layer(joined)]


def _explained(layers: Mapping[str, Iterable[_Run]]) -> dict[str, tuple[LayerPlan, ...]]:
    """Layers in their order, each with the images that really hold it."""
    users: dict[tuple[PathEntry, ...], list[str]] = {}
    first: dict[
        tuple[PathEntry, ...], _Run
    ] = {}  # joining may arrive at a layer that another image has as it is
    for image, runs in layers.items():
        for run in runs:
            users.setdefault(run.paths, []).append(image)
            first.setdefault(run.paths, run)
    return {
        image: tuple(
            sorted(
                (_plan(first[run.paths], users[run.paths]) for run in runs),
                key=lambda plan: (-len(plan.images), plan.weight, -plan.size, plan.paths[0].path),
            )
        )
        for image, runs in layers.items()
    }


def _plan(run: _Run, users: Sequence[str]) -> LayerPlan:
    if run.joined:
        many = f"the {run.joined} smallest layers, joined to stay within the bound"
    else:
        many = "one path" if len(run.paths) == 1 else f"{len(run.paths)} paths that change alike"
    shared = f"shared by {', '.join(users)}" if len(users) > 1 else f"only in {users[0]}"
    change = (
        "changes with every release"
        if run.weight >= 1
        else f"changes in {run.weight:.0%} of releases"
    )
    return LayerPlan(
        paths=run.paths,
        images=tuple(users),
        size=run.size,
        weight=run.weight,
        why=f"{many}, {shared}; {change}",
    )
