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
from graphlib import TopologicalSorter

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
    members: dict[tuple[str, ...], list[PathEntry]] = {}
    for path in sorted(entries):
        members.setdefault(tuple(users[path]), []).append(entries[path])
    groups = {names: _Group(paths, weights) for names, paths in sorted(members.items())}
    for group in groups.values():
        while (cost := group.cheapest()) is not None and cost <= _LAYER_BYTES:
            group.merge()
    for image in sorted(images):
        mine = [group for names, group in groups.items() if image in names]
        _merge_until_within(mine, max_layers)
    # only now, since a merge for one image changes the layers of the others, too
    layers = {}
    for image in sorted(images):
        runs = [run for names, group in groups.items() if image in names for run in group.runs()]
        layers[image] = _bounded([_layer(run) for run in runs], max_layers)
    return _explained(layers)


def _weights(entries: Mapping[str, PathEntry]) -> dict[str, float]:
    """The weight of each path: it grows with the closure, and is 1 if no other path refers to it."""
    below = {
        path: [each for each in entry.references if each in entries and each != path]
        for path, entry in entries.items()
    }
    reach: dict[str, int] = {}
    for bit, path in enumerate(TopologicalSorter(below).static_order()):
        reach[path] = 1 << bit
        for reference in below[path]:
            reach[path] |= reach[reference]
    referred = {reference for references in below.values() for reference in references}
    return {
        path: 1 - (1 - _CHANGE) ** reach[path].bit_count() if path in referred else 1.0
        for path in entries
    }


class _Group:
    """The runs of one group, and the possible merges of neighbours, by cost."""

    def __init__(self, paths: Sequence[PathEntry], weights: Mapping[str, float]) -> None:
        ordered = sorted(
            paths, key=lambda entry: (weights[entry.path] / max(entry.nar_size, 1), entry.path)
        )
        self._runs = {
            place: _Run(paths=(entry,), size=entry.nar_size, weight=weights[entry.path])
            for place, entry in enumerate(ordered)
        }
        self._next = [*range(1, len(ordered)), -1]
        self._previous = [*range(-1, len(ordered) - 1)]
        #: cost, the places of two neighbours, and the number of each one's paths at that time
        self._offers: list[tuple[float, int, int, int, int]] = []
        for left in self._runs:
            self._offer(left, self._next[left])

    def __len__(self) -> int:
        return len(self._runs)

    def runs(self) -> Iterable[_Run]:
        return self._runs.values()

    def cheapest(self) -> float | None:
        """The cost of the cheapest merge; None for a single run."""
        while self._offers:
            cost, left, right, *counts = self._offers[0]
            if [self._paths(left), self._paths(right)] == counts:
                return cost
            heapq.heappop(self._offers)  # one side has been merged since
        return None

    def merge(self) -> None:
        """Do the merge that `cheapest` found."""
        _, left, right, *_ = heapq.heappop(self._offers)
        self._runs[left] = _joined([self._runs[left], self._runs.pop(right)])
        following = self._next[left] = self._next[right]
        if following >= 0:
            self._previous[following] = left
        self._offer(left, following)
        self._offer(self._previous[left], left)

    def _offer(self, left: int, right: int) -> None:
        if left >= 0 and right >= 0:
            one, two = self._runs[left], self._runs[right]
            cost = one.size * two.weight + two.size * one.weight
            heapq.heappush(self._offers, (cost, left, right, len(one.paths), len(two.paths)))

    def _paths(self, place: int) -> int:
        return len(self._runs[place].paths) if place in self._runs else 0


def _merge_until_within(groups: Sequence[_Group], bound: int) -> None:
    """Do the cheapest merges of an image's groups until the image has at most ``bound`` runs."""
    while sum(map(len, groups)) > bound:
        offers = [
            (cost, at) for at, group in enumerate(groups) if (cost := group.cheapest()) is not None
        ]
        if not offers:
            return
        groups[min(offers)[1]].merge()


def _layer(run: _Run) -> _Run:
    return evolve(run, paths=tuple(sorted(run.paths, key=lambda entry: entry.path)))


def _bounded(layers: list[_Run], bound: int) -> list[_Run]:
    """Join the smallest layers of an image into one when there are more than ``bound``."""
    if len(layers) <= bound:
        return layers
    by_size = sorted(layers, key=lambda layer: (layer.size, layer.paths[0].path))
    extra = len(layers) - bound + 1
    small = by_size[:extra]
    return [*by_size[extra:], evolve(_layer(_joined(small)), joined=extra)]


def _joined(runs: Sequence[_Run]) -> _Run:
    return _Run(
        paths=tuple(entry for run in runs for entry in run.paths),
        size=sum(run.size for run in runs),
        weight=min(1.0, sum(run.weight for run in runs)),
    )


def _explained(layers: Mapping[str, Iterable[_Run]]) -> dict[str, tuple[LayerPlan, ...]]:
    """Layers in their order, each with the images that really hold it."""
    held: dict[tuple[PathEntry, ...], tuple[_Run, list[str]]] = {}
    for image, runs in layers.items():
        for run in runs:
            # joining may arrive at a layer that another image has as it is; the first run counts
            held.setdefault(run.paths, (run, []))[1].append(image)
    plans = {paths: _plan(run, users) for paths, (run, users) in held.items()}
    return {
        image: tuple(
            sorted(
                (plans[run.paths] for run in runs),
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
