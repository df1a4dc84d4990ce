"""Targets are shared by cost, taken over from slow workers, and none is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nixgen.driver.evaluate.schedule import Costs, Job, Schedule, estimate_jobs


def jobs(*costs: float, group: str = "") -> list[Job]:
    return [Job(attr=f"{group}{n}", group=group, cost=cost) for n, cost in enumerate(costs)]


def test_each_worker_gets_an_equal_share_and_expensive_targets_come_first() -> None:
    schedule = Schedule.share(jobs(1, 1, 1, 1, 4), 2)
    assert schedule.workers == (0, 1)
    assert schedule.run(0) == ("4",)
    assert schedule.run(1) == ("0", "1", "2", "3")


def test_there_are_no_more_workers_than_the_work_is_worth() -> None:
    assert Schedule.share(jobs(1, 1), 8).workers == (0, 1)
    assert Schedule.share(jobs(*[0.1] * 20), 8).workers == (0, 1, 2, 3)
    assert Schedule.share(jobs(*[0.01] * 20), 8).workers == (0,)
    assert Schedule.share([], 8).run(0) == ()


def test_targets_of_one_system_stay_together() -> None:
    schedule = Schedule.share([*jobs(1, 1, group="b"), *jobs(1, 1, group="a")], 2)
    assert schedule.run(0) == ("a0", "a1")
    assert schedule.run(1) == ("b0", "b1")


def test_a_worker_without_work_takes_over_the_later_half_of_a_run() -> None:
    schedule = Schedule.share(jobs(*[1] * 12), 2)
    first, second = schedule.run(0), schedule.run(1)
    assert (len(first), len(second)) == (6, 6)
    assert schedule.begin(1, second[0])
    for attr in first:
        assert schedule.begin(0, attr)
        assert schedule.finish(attr)
    taken = schedule.run(0)
    assert taken == second[3:], "of five that are not begun"
    assert [schedule.begin(1, attr) for attr in second] == [True] * 3 + [False] * 3
    assert schedule.run(1) == second[:3]


def test_a_small_last_target_is_not_taken_over() -> None:
    """Starting a process would cost more than the target."""
    schedule = Schedule.share(jobs(0.2, 0.2, 0.2, 0.2), 2)
    for attr in schedule.run(0):
        schedule.finish(attr)
    assert schedule.run(0) == ()
    assert schedule.active == 1
    assert len(schedule.run(1)) == 2


def test_the_others_finish_targets_that_a_worker_gives_back() -> None:
    schedule = Schedule.share(jobs(5, 5, 5, 5), 2)
    first, second = schedule.run(0), schedule.run(1)
    assert schedule.give_back(1)
    assert schedule.active == 1
    for attr in first:
        schedule.finish(attr)
    assert schedule.run(0) == second
    assert not schedule.give_back(0), "there is nobody else"
    assert schedule.run(0) == second


def test_the_cost_of_a_job_is_its_last_duration_or_an_estimate() -> None:
    estimated = estimate_jobs(
        ["machines.a", "machines.b", "tests.c", "packages.d"],
        Costs(
            groups={"machines.a": "x"},
            weights={"tests.c": 2.5, "packages.d": 0.1},
            seconds={"machines.a": 4.0, "machines.gone": 100.0},
        ),
    )
    assert [(job.group, job.cost) for job in estimated] == [
        ("x", 4.0),
        ("", 4.0),
        ("", 10.0),
        ("", 0.4),
    ]
    assert [job.cost for job in estimate_jobs(["a"], Costs())] == [1.0]


@given(
    costs=st.lists(st.floats(min_value=0, max_value=10), max_size=12),
    workers=st.integers(1, 4),
    choices=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("sdeg")), max_size=150),
)
def test_every_target_is_finished_exactly_once(
    costs: list[float], workers: int, choices: list[tuple[int, str]]
) -> None:
    """Workers start processes, finish targets, end and give targets back, in any order."""
    schedule = Schedule.share(jobs(*costs), workers)
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
        elif schedule.finish(attr := running[worker].pop(0)):
            done.append(attr)

    for worker, choice in choices:
        step(worker % len(schedule.workers), choice)
    for _ in range(200):
        for worker in schedule.workers:
            step(worker, "d")
    assert ended == set(schedule.workers)
    assert sorted(done) == sorted(str(number) for number in range(len(costs)))
