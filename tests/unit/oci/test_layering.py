"""Layers: rules that hold for any closures, and cases with an obvious answer."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nixgen.oci.plan.layering import plan_layers
from nixgen.oci.plan.spec import PathEntry

MIB = 1 << 20


def path(number: int, name: str = "p") -> str:
    return f"/nix/store/{number:032d}-{name}{number}"


def entry(number: int, size: int, *references: int, name: str = "p") -> PathEntry:
    return PathEntry(
        path=path(number, name),
        nar_hash=f"sha256:{number}",
        nar_size=size,
        references=tuple(path(other) for other in references),
    )


@st.composite
def projects(draw):
    """Images over one pool of paths, each image closed under references."""
    count = draw(st.integers(0, 40))
    pool = [
        entry(
            number,
            draw(st.sampled_from([0, 1, 700, 80_000, MIB, 30 * MIB])),
            *draw(st.sets(st.integers(0, number - 1), max_size=3) if number else st.just(set())),
        )
        for number in range(count)
    ]
    at = {item.path: item for item in pool}
    images = {}
    for image in range(draw(st.integers(1, 5))):
        closed, todo = set(), list(draw(st.sets(st.sampled_from(pool)) if pool else st.just(set())))
        while todo:
            item = todo.pop()
            if item not in closed:
                closed.add(item)
                todo.extend(at[reference] for reference in item.references)
        images[f"image{image}"] = sorted(closed, key=lambda item: item.path)
    return images


@settings(max_examples=200, deadline=None)
@given(projects(), st.integers(1, 12), st.randoms(use_true_random=False))
def test_every_path_is_in_one_layer_and_the_order_of_the_input_does_not_matter(
    images, bound, shuffler
):
    plans = plan_layers(images, max_layers=bound)
    for image, paths in images.items():
        placed = [item.path for plan in plans[image] for item in plan.paths]
        assert sorted(placed) == [item.path for item in paths], "every path in exactly one layer"
        assert len(plans[image]) <= bound
        for plan in plans[image]:
            assert image in plan.images
            assert plan.size == sum(item.nar_size for item in plan.paths)
            for other in plan.images:
                assert plan in plans[other], (
                    "a shared layer is the same in every image that names it"
                )
    shuffled = list(images.items())
    shuffler.shuffle(shuffled)
    again = {image: shuffler.sample(paths, len(paths)) for image, paths in shuffled}
    assert plan_layers(again, max_layers=bound) == plans


@settings(max_examples=100, deadline=None)
@given(projects())
def test_no_path_is_stored_twice_within_the_bound(images):
    layers = {plan.paths for plans in plan_layers(images).values() for plan in plans}
    stored = [item.path for paths in layers for item in paths]
    assert len(stored) == len(set(stored))


def test_a_large_base_and_its_program_are_separate_layers():
    base, program = entry(1, 30 * MIB), entry(2, 10_000, 1)
    plans = plan_layers({"api": [base, program]})["api"]
    assert [plan.paths for plan in plans] == [(base,), (program,)]
    assert "every release" in plans[1].why


def together(*entries: PathEntry) -> bool:
    """Whether the first two paths share a layer."""
    plans = plan_layers({"api": entries})["api"]
    return any({entries[0], entries[1]} <= set(plan.paths) for plan in plans)


# A path that nothing refers to changes with every release (weight 1), a leaf that something refers to in
# 1 % of them. Two layers of sizes S and weights W are worth one when S₁·W₂ + S₂·W₁ is at most 128 KiB.
@pytest.mark.parametrize(
    ("base", "program", "merged"),
    [
        (8 * MIB, 10_000, False),  # every release would pull 8 MiB for 10 kB
        (130_000, 10_000, True),  # 130,000·1 + 10,000·0.01
        (131_000, 10_000, False),  # 131,000·1 + 10,000·0.01 = 131,100
        (50_000, 8 * MIB, False),  # 50,000·1 + 8 MiB·0.01 = 133,886: the base is pulled for nothing
        (50_000, 7 * MIB, True),  # 50,000·1 + 7 MiB·0.01 = 123,400, though S₂·W₂ is 7 MiB
    ],
)
def test_a_base_and_its_program_are_merged_if_few_bytes_are_downloaded_again(base, program, merged):
    assert together(entry(1, base), entry(2, program, 1)) is merged


@pytest.mark.parametrize(("size", "merged"), [(6 * MIB, True), (7 * MIB, False)])
def test_two_equal_paths_are_merged_up_to_their_joint_cost(size, merged):
    """Two leaves of 1 % each: 2·S·0.01 against 131,072 bytes, so up to 6.25 MiB."""
    top = entry(3, 90 * MIB, 1, 2)
    assert together(entry(1, size), entry(2, size), top) is merged


@settings(max_examples=100, deadline=None)
@given(projects())
def test_every_merge_that_pays_is_done(images):
    image, paths = max(images.items(), key=lambda pair: len(pair[1]))
    plans = plan_layers({image: paths})[image]
    first = {plan: min(map(rank(paths), plan.paths)) for plan in plans}
    ordered = sorted(plans, key=first.__getitem__)
    for one, two in itertools.pairwise(ordered):
        assert one.size * two.weight + two.size * one.weight > 128 * 1024


def rank(paths):
    """The order of the runs, worked out the slow way: likelihood of a change by size."""
    at = {item.path: item for item in paths}
    referred = {other for item in paths for other in item.references if other != item.path}

    def closure(path):
        seen, todo = set(), [path]
        while todo:
            if (here := todo.pop()) not in seen:
                seen.add(here)
                todo.extend(at[here].references)
        return seen

    def key(item):
        weight = 1 - 0.99 ** len(closure(item.path)) if item.path in referred else 1.0
        return weight / max(item.nar_size, 1), item.path

    return key


def test_under_the_bound_the_cheapest_merge_comes_first():
    """Three programs of 1, 2 and 40 MiB: a bound of two layers joins the small ones (3 MiB), never the big one."""
    small, middle, big = entry(1, MIB), entry(2, 2 * MIB), entry(3, 40 * MIB)
    plans = plan_layers({"api": [small, middle, big]}, max_layers=2)["api"]
    assert {plan.paths for plan in plans} == {(small, middle), (big,)}


def test_small_paths_of_equal_weight_share_a_layer():
    small = [entry(number, 2_000) for number in range(200)]
    top = entry(999, 1_000, *range(200))
    plans = plan_layers({"api": [*small, top]})["api"]
    assert len(plans) <= 5


def test_shared_layers_are_at_the_bottom():
    shared, mine, yours = entry(1, MIB), entry(2, 50 * MIB), entry(3, 50 * MIB)
    plans = plan_layers({"a": [shared, mine], "b": [shared, yours]})
    assert plans["a"][0].images == ("a", "b")
    assert plans["a"][0] == plans["b"][0]


def test_a_deep_chain_needs_no_deep_stack():
    chain = [entry(0, 100), *(entry(number, 100, number - 1) for number in range(1, 5000))]
    random.Random(1).shuffle(chain)
    assert sum(len(plan.paths) for plan in plan_layers({"a": chain})["a"]) == 5000
