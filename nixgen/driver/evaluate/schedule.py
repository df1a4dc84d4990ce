"""Which process evaluates what: runs of targets that are given out, taken over and given back.

Targets in one process share what they read (nixpkgs is parsed and its lowest layers are evaluated once), so each worker
begins with one run of its own, of equal cost. A worker without work takes over the later half of what the slowest has
before it; that one learns of it when it comes there. Nothing here knows of processes; any thread may call.
"""

from __future__ import annotations

import itertools
import statistics
import threading
from collections.abc import Iterable, Mapping, Sequence

from attrs import define, field, frozen

__all__ = ["Job", "Schedule", "jobs_of"]

#: What a new process costs before its first target, in targets of the usual cost, and in seconds at least.
#: Less is not worth to be taken over.
_START = 0.5
_START_SECONDS = 0.3
#: Seconds of work for which a worker is started: what one process does in a moment, two do hardly sooner.
_WORTH_A_WORKER = 0.5


@frozen(kw_only=True)
class Job:
    """
    :param group: targets of one group share more than others do; such as a system.
    :param cost: seconds that it takes; a guess, where it has never been evaluated.
    """

    attr: str
    group: str = ""
    cost: float = 1.0


def jobs_of(
    attrs: Iterable[str],
    *,
    groups: Mapping[str, str],
    weights: Mapping[str, float],
    seconds: Mapping[str, float],
) -> list[Job]:
    """What a schedule needs to know of each target.

    :param weights: target → what it is likely to cost, compared with the others; 1 when it is missing.
    :param seconds: target → what it took the last time.
    """
    attrs = tuple(attrs)
    rates = [
        seconds[attr] / weights.get(attr, 1.0)
        for attr in attrs
        if attr in seconds and weights.get(attr, 1.0)
    ]
    usual = statistics.median(rates) if rates else 1.0
    return [
        Job(
            attr=attr,
            group=groups.get(attr, ""),
            cost=seconds.get(attr, weights.get(attr, 1.0) * usual),
        )
        for attr in attrs
    ]


@define
class Schedule:
    """
    :param jobs: what is to be done; the dear ones of each group come first, so that what is left at the end is small.
    :param workers: numbered from 0.
    """

    _jobs: Mapping[str, Job]
    _queue: list[str]
    _runs: dict[int, list[str]]
    _active: set[int]
    _lock: threading.Lock = field(factory=threading.Lock)

    @classmethod
    def of(cls, jobs: Sequence[Job], workers: int) -> Schedule:
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
        return tuple(self._runs)

    @property
    def active(self) -> int:
        """Workers that have not come to their end."""
        with self._lock:
            return max(1, len(self._active))

    def run(self, worker: int) -> tuple[str, ...]:
        """What the worker is to evaluate next, in this order; nothing when it is no longer needed."""
        with self._lock:
            if not self._runs[worker] and self._queue:
                self._runs[worker], self._queue = self._queue, []
            if not self._runs[worker]:
                self._runs[worker] = self._taken_over()
            if not self._runs[worker]:
                self._active.discard(worker)
            return tuple(self._runs[worker])

    def begin(self, worker: int, attr: str) -> bool:
        """Whether it is still this worker's to do; when it is not, neither is anything after it."""
        with self._lock:
            return attr in self._runs[worker]

    def done(self, attr: str) -> bool:
        """Whether it is done for the first time."""
        with self._lock:
            runs = [self._queue, *self._runs.values()]
            found = [run for run in runs if attr in run]
            for run in found:
                run.remove(attr)
            return bool(found)

    def give_back(self, worker: int) -> bool:
        """End a worker for lack of room: the others finish what it had. False when there are no others."""
        with self._lock:
            if self._active <= {worker}:
                return False
            self._queue = self._runs[worker] + self._queue
            self._runs[worker] = []
            self._active.discard(worker)
            return True

    def _taken_over(self) -> list[str]:
        """The later half, by cost, of the longest run; its first target is being evaluated and stays."""
        rest = {number: run[1:] for number, run in self._runs.items() if len(run) > 1}
        if not rest:
            return []
        costs = {number: sum(map(self._cost, attrs)) for number, attrs in rest.items()}
        slowest = max(costs, key=lambda number: costs[number])
        ends = itertools.accumulate(map(self._cost, rest[slowest]))
        kept = sum(1 for end in ends if end <= costs[slowest] / 2)
        taken = rest[slowest][kept:]
        usual = statistics.median(self._cost(attr) for attr in self._jobs)
        if sum(map(self._cost, taken)) <= max(_START * usual, _START_SECONDS):
            return []
        self._runs[slowest] = self._runs[slowest][: 1 + kept]
        return taken

    def _cost(self, attr: str) -> float:
        return self._jobs[attr].cost
