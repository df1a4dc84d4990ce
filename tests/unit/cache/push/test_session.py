"""The report of a push that runs during a build adds up all of its pushes. Without Nix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from local_store import LocalStore, local_store

from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.keep.roots import Root
from nixgen.cache.push.events import PushPaused
from nixgen.cache.push.push import PushReport
from nixgen.cache.push.session import push_session
from nixgen.cache.push.upload import Uploaded
from nixgen.errors import CacheError
from nixgen.programs.observer import Observer, ignore


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return local_store(tmp_path, {"early": b"e", "late": b"l"}, {"late": ["early"]})


def report(paths: Sequence[str], peak: int) -> PushReport:
    count = len(paths)
    return PushReport(
        cache="s3://cache",
        closure=count,
        missing=tuple(paths),
        missing_sizes=(100,) * count,
        missing_bytes=100 * count,
        uploaded=Uploaded(
            published=count, reused=1, nar_bytes=100 * count, file_bytes=10, peak_memory=peak
        ),
        requests=PaceStatistics(requests=5, repeated=2, throttled=1),
        seconds=1.5,
    )


def test_the_report_adds_up_all_pushes(local: LocalStore) -> None:
    early, late = local.paths["early"], local.paths["late"]
    peaks = {early: 900, late: 400}

    def push(paths: Sequence[str], _observe: Observer, _root: Root | None) -> PushReport:
        return report(paths, peaks[paths[0]])

    with push_session(push, store=local.store, observe=ignore) as session:
        session.add([early])
        done = session.finish([late])
    assert (done.missing, done.missing_sizes, done.missing_bytes) == (
        (early, late),
        (100, 100),
        200,
    )
    assert done.uploaded == Uploaded(
        published=2, reused=2, nar_bytes=200, file_bytes=20, peak_memory=900
    )
    assert done.requests == PaceStatistics(requests=10, repeated=4, throttled=2)
    assert (done.closure, done.seconds) == (2, 3.0)


def test_a_failed_push_is_an_event_and_the_end_tries_again(local: LocalStore) -> None:
    early, late = local.paths["early"], local.paths["late"]
    pushed: list[Sequence[str]] = []
    events: list[object] = []

    def push(paths: Sequence[str], _observe: Observer, _root: Root | None) -> PushReport:
        pushed.append(paths)
        if len(pushed) == 1:
            raise CacheError("the cache is down", hint="start it")
        return report(paths, 1)

    with push_session(push, store=local.store, observe=events.append) as session:
        session.add([early])
        done = session.finish([late])
    assert pushed == [[early], (late,)]
    assert events == [PushPaused(reason="the cache is down")]
    assert done.missing == (late,)
