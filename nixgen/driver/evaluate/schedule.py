"""Share targets among workers.

Targets in one process share a part of their evaluation: nixpkgs is parsed once, and its lowest
layers are evaluated once. So each worker begins with a run of targets, and all runs cost the same.
A worker without work takes over the later half of the run that will last longest. The worker of
that run notices it when it gets there. This module starts no process, and threads may call it at
the same time.
"""

from __future__ import annotations

import itertools
import statistics
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from attrs import define, field, frozen

__all__ = ["Costs", "Job", "Schedule", "estimate_jobs"]

#: The cost of starting a process, in median costs of a target, and at least in seconds. A worker
#: takes over no run that costs less.
_START = 0.5
_START_SECONDS = 0.3
#: The seconds of work that justify one more worker.
_WORTH_A_WORKER = 0.5


@frozen(kw_only=True)
class Costs:
    """Estimates of the cost of targets. They decide how targets are shared among processes.

    :param groups: target → the name of its group, such as its system. Targets of a group share most
        of their evaluation, and so are cheaper in one process.
    :param weights: target → its size relative to other targets; 1 when it is missing.
    :param seconds: target → the duration of its last evaluation.
    """

    groups: Mapping[str, str] = MappingProxyType({})
    weights: Mapping[str, float] = MappingProxyType({})
    seconds: Mapping[str, float] = MappingProxyType({})


@frozen(kw_only=True)
class Job:
    """A target to evaluate.

    :param attr: the target.
    :param group: see `Costs`.
    :param cost: the seconds that its evaluation will take; an estimate.
    """

    attr: str
    group: str = ""
    cost: float = 1.0


def estimate_jobs(attrs: Sequence[str], costs: Costs) -> list[Job]:
    """Estimate the cost of each target: its last duration, or else its weight times the median
    rate.

    :param attrs: the targets.
    :param costs: what earlier evaluations and the models say.
    """
    weights = {attr: costs.weights.get(attr, 1.0) for attr in attrs}
    seconds = costs.seconds
    rates = [seconds[attr] / weights[attr] for attr in attrs if attr in seconds and weights[attr]]
    median = statistics.median(rates) if rates else 1.0
    return [
        Job(
            attr=attr,
            group=costs.groups.get(attr, ""),
            cost=seconds.get(attr, weights[attr] * median),
        )
        for attr in attrs
    ]


@define
class Schedule:
    """The targets that each worker still has to evaluate. Workers are numbered from 0."""

    _jobs: Mapping[str, Job]
    _queue: list[str]
    _runs: dict[int, list[str]]
    _active: set[int]
    _lock: threading.Lock = field(factory=threading.Lock)

    @classmethod
    def share(cls, jobs: Sequence[Job], workers: int) -> Schedule:
        """Give each worker a run of the same cost.

        The expensive targets of a group come first, so that the work at the end is in small pieces.

        :param jobs: the targets.
        :param workers: the most workers. There are fewer where the work is not worth so many.
        """
        ordered = sorted(jobs, key=lambda job: (job.group, -job.cost))
        total = sum(job.cost for job in ordered) or 1.0
        worth = round(total / _WORTH_A_WORKER)
        numbers = range(max(1, min(workers, len(ordered), worth)))
        runs: dict[int, list[str]] = {number: [] for number in numbers}
        before = 0.0
        for job in ordered:
            middle = (before + job.cost / 2) / total
            runs[min(int(middle * len(numbers)), len(numbers) - 1)].append(job.attr)
            before += job.cost
        return cls({job.attr: job for job in ordered}, [], runs, set(numbers))

    @property
    def workers(self) -> tuple[int, ...]:
        """The numbers of the workers."""
        return tuple(self._runs)

    @property
    def active(self) -> int:
        """The number of workers that still have work; at least 1."""
        with self._lock:
            return max(1, len(self._active))

    def run(self, worker: int) -> tuple[str, ...]:
        """The targets that a worker evaluates next, in this order; none when its work is over.

        :param worker: its number.
        """
        with self._lock:
            if not self._runs[worker] and self._queue:
                self._runs[worker], self._queue = self._queue, []
            if not self._runs[worker]:
                self._runs[worker] = self._take_over()
            if not self._runs[worker]:
                self._active.discard(worker)
            return tuple(self._runs[worker])

    def begin(self, worker: int, attr: str) -> bool:
        """Whether a worker may begin a target. If not, another has taken it over with all after it.

        :param worker: its number.
        :param attr: the target.
        """
        with self._lock:
            return attr in self._runs[worker]

    def finish(self, attr: str) -> bool:
        """Remove a target that is evaluated or rejected.

        :param attr: the target.
        :return: whether this is the first time; two workers may have evaluated it.
        """
        with self._lock:
            runs = [self._queue, *self._runs.values()]
            holders = [run for run in runs if attr in run]
            for run in holders:
                run.remove(attr)
            return bool(holders)

    def give_back(self, worker: int) -> bool:
        """End a worker for lack of memory: the others finish its targets.

        :param worker: its number.
        :return: False when there are no others; then the worker goes on.
        """
        with self._lock:
            if self._active <= {worker}:
                return False
            self._queue = self._runs[worker] + self._queue
            self._runs[worker] = []
            self._active.discard(worker)
            return True

    def _take_over(self) -> list[str]:
        """The later half, by cost, of the longest run. Its first target stays: it has begun."""
        rest = {number: run[1:] for number, run in self._runs.items() if len(run) > 1}
        if not rest:
            return []
        costs = {number: sum(map(self._cost, attrs)) for number, attrs in rest.items()}
        slowest = max(costs, key=lambda number: costs[number])
        ends = itertools.accumulate(map(self._cost, rest[slowest]))
        kept = sum(1 for end in ends if end <= costs[slowest] / 2)
        taken = rest[slowest][kept:]
        median = statistics.median(self._cost(attr) for attr in self._jobs)
        if sum(map(self._cost, taken)) <= max(_START * median, _START_SECONDS):
            return []
        self._runs[slowest] = self._runs[slowest][: 1 + kept]
        return taken

    def _cost(self, attr: str) -> float:
        return self._jobs[attr].cost
