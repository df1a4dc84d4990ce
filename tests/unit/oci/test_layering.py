"""Layering: laws that hold for any closures, and a few cases whose answer is plain."""

from __future__ import annotations

import random

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
def test_laws(images, bound, shuffler):
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
def test_nothing_is_stored_twice_while_the_bound_is_far(images):
    layers = {plan.paths for plans in plan_layers(images).values() for plan in plans}
    stored = [item.path for paths in layers for item in paths]
    assert len(stored) == len(set(stored))


def test_a_program_does_not_drag_its_base_along():
    base, program = entry(1, 30 * MIB), entry(2, 10_000, 1)
    plans = plan_layers({"api": [base, program]})["api"]
    assert [plan.paths for plan in plans] == [(base,), (program,)]
    assert "every release" in plans[1].why


def test_small_things_that_change_alike_share_a_layer():
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
