"""The order of publication, and the byte budget."""

from __future__ import annotations

import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.cache.push.memory import ByteBudget, StoppedError
from nixgen.cache.push.order import PublishOrder
from nixgen.driver.store.store import PathInfo


def info(number: int, references: tuple[int, ...]) -> PathInfo:
    return PathInfo(
        path=f"p{number}",
        nar_hash="sha256:" + "0" * 52,
        nar_size=1,
        references=tuple(f"p{reference}" for reference in references),
        deriver=None,
        signatures=(),
        ca=None,
    )


@st.composite
def closures(draw: st.DrawFn) -> list[PathInfo]:
    """Paths whose references are earlier paths, the path itself, or paths that the cache has already."""
    size = draw(st.integers(1, 12))
    return [
        info(number, tuple(draw(st.sets(st.integers(-2, number), max_size=5))))
        for number in range(size)
    ]


@given(closures(), st.randoms(use_true_random=False))
def test_references_are_published_first_in_any_order_of_events(
    missing: list[PathInfo], chance: random.Random
) -> None:
    order = PublishOrder(missing)
    references = {each.path: set(each.references) for each in missing}
    nars = [each.path for each in missing]
    stored: set[str] = set()
    published: list[str] = []
    ready: list[str] = []
    while nars or ready:
        if nars and (not ready or chance.random() < 0.5):
            path = nars.pop(chance.randrange(len(nars)))
            stored.add(path)
            ready.extend(order.nar_stored(path))
        else:
            path = ready.pop(chance.randrange(len(ready)))
            assert path in stored
            assert references[path] & references.keys() - {path} <= set(published)
            published.append(path)
            ready.extend(order.published(path))
    assert sorted(published) == sorted(references)


def test_the_budget_is_never_exceeded_and_every_request_is_granted() -> None:
    budget = ByteBudget(100)
    out = 0
    worst = 0
    lock = threading.Lock()

    def work(seed: int) -> None:
        nonlocal out, worst
        chance = random.Random(seed)
        for _ in range(200):
            count = chance.randint(1, 100)
            budget.acquire(count)
            with lock:
                out += count
                worst = max(worst, out)
            with lock:
                out -= count
            budget.release(count)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert worst <= 100
    assert budget.peak <= 100


def test_a_request_larger_than_the_budget_goes_alone() -> None:
    budget = ByteBudget(10)
    budget.acquire(50)
    waiter = threading.Thread(target=budget.acquire, args=(1,))
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    budget.release(50)
    waiter.join(5)
    assert not waiter.is_alive()


def test_stopping_wakes_all_waiting_threads() -> None:
    budget = ByteBudget(1)
    budget.acquire(1)
    woken: list[BaseException] = []

    def wait() -> None:
        try:
            budget.acquire(1)
        except StoppedError as error:
            woken.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.05)
    budget.stop()
    waiter.join(5)
    assert len(woken) == 1
    with pytest.raises(StoppedError):
        budget.acquire(1)
