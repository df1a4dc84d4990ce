"""A push while Nix builds: which outputs it pushes when, what its report adds up, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.keep.roots import Root
from nixgen.cache.push.events import PushPaused
from nixgen.cache.push.missing import PushPlan
from nixgen.cache.push.push import PushReport
from nixgen.cache.push.session import PushSession, push_session
from nixgen.cache.push.upload import Uploaded
from nixgen.driver.messages.events import BuildFinished
from nixgen.driver.store.store import PathInfo, Store
from nixgen.errors import CacheError

SIZE = 100


def info(path: str) -> PathInfo:
    return PathInfo(path=path, nar_hash="sha256:0", nar_size=SIZE, references=())


class Outputs:
    """A store where the derivation X.drv has the output X, which refers to X-dep.

    :param invalid: paths that are not registered.
    """

    def __init__(self, *invalid: str) -> None:
        self.invalid = set(invalid)

    def outputs(self, drvs: Iterable[str]) -> dict[str, tuple[str, ...]]:
        return {drv: (drv.removesuffix(".drv"),) for drv in drvs}

    def valid(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(paths) - self.invalid

    def closure(self, paths: Iterable[str]) -> list[PathInfo]:
        every = [part for path in paths for part in (f"{path}-dep", path)]
        return list(map(info, every))


class Pushes:
    """A push that records what it is given, and reports one missing path of each.

    :param error: raised by the first push.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[list[str], Root | None]] = []
        self.pushed = threading.Event()
        self.error = error

    def __call__(self, paths: Sequence[str], observe: Any, root: Root | None) -> PushReport:
        self.calls.append((list(paths), root))
        self.pushed.set()
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        observe(("pushing", *paths))
        count = len(self.calls)
        return PushReport(
            cache="s3://c",
            plan=PushPlan(closure=99, missing=tuple(map(info, paths))),
            uploaded=Uploaded(published=count, peak_memory=count) if paths else None,
            requests=PaceStatistics(requests=count, repeated=1, throttled=2),
            seconds=float(count),
        )


def store(*invalid: str) -> Store:
    return cast("Store", Outputs(*invalid))


def finished(drv: str) -> BuildFinished:
    import attrs

    values = {field.name: None for field in attrs.fields(BuildFinished)}
    return BuildFinished(**{**values, "drv": drv})  # type: ignore[arg-type]


def wait(pushes: Pushes) -> None:
    assert pushes.pushed.wait(20)
    pushes.pushed.clear()


def test_finished_outputs_are_pushed_while_the_build_runs() -> None:
    pushes, events = Pushes(), list[object]()
    with push_session(pushes, store=store("/late"), observe=events.append) as session:
        session(finished("/b.drv"))
        wait(pushes)
        session("an event of another kind")
        session(finished("/late.drv"))
        session.add(["/z", "/a"])
        wait(pushes)
        report = session.finish(["/top", "/b", "/top"], root=None)
    *before, last = pushes.calls
    assert before[0] == (["/b"], None)
    assert sorted(path for paths, _ in before[1:] for path in paths) == ["/a", "/z"]
    assert last == (["/top", "/b"], None)
    assert events[0] == ("pushing", "/b")
    assert events[-1] == ("pushing", "/top", "/b")
    pushed = [path for paths, _ in pushes.calls for path in paths]
    assert [each.path for each in report.plan.missing] == pushed
    assert report.plan.nar_bytes == SIZE * len(pushed)
    count = len(pushes.calls)
    total = count * (count + 1) // 2
    assert report.seconds == total
    assert report.uploaded == Uploaded(published=total, peak_memory=count)
    assert report.requests == PaceStatistics(requests=total, repeated=count, throttled=2 * count)
    # /a and /z were pushed, and are in no closure of a target
    assert report.plan.closure == len({"/top", "/top-dep", "/b", "/b-dep", "/a", "/z"})


def test_the_paths_of_a_batch_are_sorted() -> None:
    pushes = Pushes()
    session = PushSession(pushes, store(), lambda _: None)
    session._push_batch(["/z", "/m.drv", "/a"])
    session.end()
    assert pushes.calls == [(["/a", "/m", "/z"], None)]


def test_a_root_is_recorded_at_the_end_alone() -> None:
    pushes = Pushes()
    root = cast("Root", object())
    with push_session(pushes, store=store(), observe=lambda _: None) as session:
        session.add(["/a"])
        wait(pushes)
        session.finish(["/top"], root=root)
    assert [given for _, given in pushes.calls] == [None, root]


def test_a_push_that_fails_pauses_until_the_end() -> None:
    pushes, events = Pushes(CacheError("S3 is away")), list[object]()
    paused = threading.Event()

    def observe(event: object) -> None:
        events.append(event)
        if isinstance(event, PushPaused):
            paused.set()

    with push_session(pushes, store=store(), observe=observe) as session:
        session.add(["/a"])
        assert paused.wait(20)
        session.add(["/b"])
        report = session.finish(["/a", "/b"])
    assert events[0] == PushPaused(reason="S3 is away")
    assert [paths for paths, _ in pushes.calls] == [["/a"], ["/a", "/b"]]
    assert [each.path for each in report.plan.missing] == ["/a", "/b"]


def test_an_error_at_the_end_is_raised() -> None:
    pushes = Pushes(CacheError("S3 is away"))
    with (
        pytest.raises(CacheError, match="S3 is away"),
        push_session(pushes, store=store(), observe=lambda _: None) as session,
    ):
        session.finish(["/a"])


def test_a_session_without_builds_pushes_the_targets_alone() -> None:
    pushes = Pushes()
    with push_session(pushes, store=store(), observe=lambda _: None) as session:
        report = session.finish([])
    assert pushes.calls == [([], None)]
    assert report.uploaded == Uploaded()
    assert report.plan.closure == 0


def test_a_session_that_is_left_early_pushes_nothing_more() -> None:
    pushes = Pushes()
    session = PushSession(pushes, store(), lambda _: None)
    session._ended = True
    session.add(["/a"])
    session.end()
    assert not session._thread.is_alive()
    assert pushes.calls == []


def test_a_push_that_runs_when_the_session_ends_stops_at_its_next_event() -> None:
    started, go_on, after = threading.Event(), threading.Event(), list[str]()

    def push(paths: Sequence[str], observe: Any, root: Root | None) -> PushReport:
        started.set()
        assert go_on.wait(20)
        observe("an event")
        after.append("not reached")
        raise AssertionError

    session = PushSession(push, store(), lambda _: None)
    session.add(["/a"])
    assert started.wait(20)
    session._ended = True
    go_on.set()
    session.end()
    assert not session._thread.is_alive()
    assert after == []


def test_another_observer_from_now_on() -> None:
    pushes, first, second = Pushes(), list[object](), list[object]()
    with push_session(pushes, store=store(), observe=first.append) as session:
        session.watch(second.append)
        session.finish(["/a"])
    assert (first, second) == ([], [("pushing", "/a")])
