"""Targets are shared fairly, taken over when one worker is late, and none is lost or done twice for nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nixgen.driver.evaluate.schedule import Job, Schedule, jobs_of


def jobs(*costs: float, group: str = "") -> list[Job]:
    return [Job(attr=f"{group}{n}", group=group, cost=cost) for n, cost in enumerate(costs)]


def test_each_worker_has_its_share_and_the_dear_ones_come_first() -> None:
    schedule = Schedule.of(jobs(1, 1, 1, 1, 4), 2)
    assert schedule.workers == (0, 1)
    assert schedule.run(0) == ("4",)
    assert schedule.run(1) == ("0", "1", "2", "3")


def test_there_are_no_more_workers_than_there_is_work_for() -> None:
    assert Schedule.of(jobs(1, 1), 8).workers == (0, 1)
    assert Schedule.of(jobs(*[0.1] * 20), 8).workers == (0, 1, 2, 3)
    assert Schedule.of(jobs(*[0.01] * 20), 8).workers == (0,)
    assert Schedule.of([], 8).run(0) == ()


def test_what_shares_a_system_stays_together() -> None:
    schedule = Schedule.of([*jobs(1, 1, group="b"), *jobs(1, 1, group="a")], 2)
    assert schedule.run(0) == ("a0", "a1")
    assert schedule.run(1) == ("b0", "b1")


def test_who_has_nothing_left_takes_over_the_later_half() -> None:
    schedule = Schedule.of(jobs(*[1] * 12), 2)
    first, second = schedule.run(0), schedule.run(1)
    assert (len(first), len(second)) == (6, 6)
    assert schedule.begin(1, second[0])
    for attr in first:
        assert schedule.begin(0, attr)
        assert schedule.done(attr)
    taken = schedule.run(0)
    assert taken == second[3:], "of five that are not begun"
    assert [schedule.begin(1, attr) for attr in second] == [True] * 3 + [False] * 3
    assert schedule.run(1) == second[:3]


def test_a_last_small_target_is_left_where_it_is() -> None:
    """A process would cost more than it."""
    schedule = Schedule.of(jobs(0.2, 0.2, 0.2, 0.2), 2)
    for attr in schedule.run(0):
        schedule.done(attr)
    assert schedule.run(0) == ()
    assert schedule.active == 1
    assert len(schedule.run(1)) == 2


def test_what_is_given_back_is_done_by_the_others_before_they_end() -> None:
    schedule = Schedule.of(jobs(5, 5, 5, 5), 2)
    first, second = schedule.run(0), schedule.run(1)
    assert schedule.give_back(1)
    assert schedule.active == 1
    for attr in first:
        schedule.done(attr)
    assert schedule.run(0) == second
    assert not schedule.give_back(0), "there is nobody else"
    assert schedule.run(0) == second


def test_costs_are_what_the_last_time_took_or_likely() -> None:
    found = jobs_of(
        ["machines.a", "machines.b", "tests.c", "packages.d"],
        groups={"machines.a": "x"},
        weights={"tests.c": 2.5, "packages.d": 0.1},
        seconds={"machines.a": 4.0, "machines.gone": 100.0},
    )
    assert [(job.group, job.cost) for job in found] == [
        ("x", 4.0),
        ("", 4.0),
        ("", 10.0),
        ("", 0.4),
    ]
    assert [job.cost for job in jobs_of(["a"], groups={}, weights={}, seconds={})] == [1.0]


@given(
    costs=st.lists(st.floats(min_value=0, max_value=10), max_size=12),
    workers=st.integers(1, 4),
    choices=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("sdeg")), max_size=150),
)
def test_whatever_happens_everything_is_done_once(
    costs: list[float], workers: int, choices: list[tuple[int, str]]
) -> None:
    """Workers start processes, finish targets, are ended and give back, in any order; then they come to their end."""
    schedule = Schedule.of(jobs(*costs), workers)
    running: dict[int, list[str]] = {}
    ended: set[int] = set()
    done: list[str] = []

    def step(worker: int, choice: str) -> None:
        if worker in ended:
            return
        if worker not in running:
            attrs = schedule.run(worker)
            if attrs:
                running[worker] = list(attrs)
            else:
                ended.add(worker)
        elif choice == "e":
            del running[worker]
        elif choice == "g":
            del running[worker]
            if schedule.give_back(worker):
                ended.add(worker)
        elif not running[worker] or not schedule.begin(worker, running[worker][0]):
            del running[worker]
        elif schedule.done(attr := running[worker].pop(0)):
            done.append(attr)

    for worker, choice in choices:
        step(worker % len(schedule.workers), choice)
    for _ in range(200):
        for worker in schedule.workers:
            step(worker, "d")
    assert ended == set(schedule.workers)
    assert sorted(done) == sorted(str(number) for number in range(len(costs)))
