"""Pushes while Nix builds: outputs go to the cache as they come into being, and the build never waits for it.

A thread of low priority takes what has finished since it last looked, and pushes that with all it reaches. When the cache
fails, it pushes no more, and the end of the session tries once again and tells.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from attrs import evolve

from nixgen.cache.bucket.pace import PaceStatistics
from nixgen.cache.keep.roots import Root
from nixgen.cache.push.events import PushPaused
from nixgen.cache.push.push import PushReport
from nixgen.cache.push.upload import Uploaded
from nixgen.driver.messages.events import BuildFinished
from nixgen.driver.store.store import Store
from nixgen.errors import NixgenError
from nixgen.programs.observer import Observer

__all__ = ["PushSession", "push_session"]

Push: TypeAlias = Callable[[Sequence[str], Observer, Root | None], PushReport]
"""Pushes store paths with all they reach, telling an observer, and records the root; raises a `NixgenError`."""

_NICE = 10
"""Builders come first: the thread's and its children's priority is lower by that much (setpriority(2) is per thread on Linux)."""

_END_SECONDS = 10.0


class _EndedError(Exception):
    """The session was left early."""


class PushSession:
    """A push that goes on beside a build; `push_session` makes them.

    Give it the build's events (it is an observer), then call `finish`.
    """

    def __init__(self, push: Push, store: Store, observe: Observer) -> None:
        self._push = push
        self._store = store
        self._observe = observe
        self._finished: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reports: list[PushReport] = []
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="cache-session", daemon=True)
        self._thread.start()

    def __call__(self, event: object) -> None:
        """An event of the build. Returns at once."""
        if isinstance(event, BuildFinished):
            self._finished.put(event.drv)

    def add(self, paths: Iterable[str]) -> None:
        """Store paths that need not be built; derivations stand for their outputs. Returns at once."""
        for path in paths:
            self._finished.put(path)

    def watch(self, observe: Observer) -> None:
        """Who gets the events of the push from now on."""
        self._observe = observe

    def finish(self, paths: Iterable[str], *, root: Root | None = None) -> PushReport:
        """The build is over: push what is left of it, and ``paths`` with all they reach.

        :param root: what collection is to keep.
        :returns: what the whole session did.
        :raises NixgenError: as the push itself; what was pushed before stays pushed.
        """
        self._finished.put(None)
        self._thread.join()
        wanted = tuple(dict.fromkeys(paths))
        last = self._push(wanted, self._tell, root)
        return _together(self._reports, last, self._closure_size(wanted))

    def end(self) -> None:
        """Stop, wherever it is; nothing happens after `finish`."""
        self._ended = True
        self._finished.put(None)
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        more = True
        while more:
            batch = [self._finished.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._finished.get_nowait())
            more = None not in batch
            try:
                self._push_batch([path for path in batch if path is not None])
            except _EndedError:
                return
            except NixgenError as error:
                self._observe(PushPaused(reason=error.message))
                return

    def _push_batch(self, batch: Sequence[str]) -> None:
        outputs = self._store.outputs(path for path in batch if path.endswith(".drv"))
        built = [path for paths in outputs.values() for path in paths]
        # what is not registered yet comes with the closures of the targets
        valid = self._store.valid([*built, *(path for path in batch if not path.endswith(".drv"))])
        if valid and not self._ended:
            self._reports.append(self._push(sorted(valid), self._tell, None))

    def _tell(self, event: object) -> None:
        if self._ended:
            raise _EndedError
        self._observe(event)

    def _closure_size(self, paths: Iterable[str]) -> int:
        """Paths that the session dealt with: what was built only to build something else is not in the targets' closures."""
        pushed = {path for report in self._reports for path in report.missing}
        return len(pushed.union(info.path for info in self._store.closure(paths)))


@contextlib.contextmanager
def push_session(push: Push, *, store: Store, observe: Observer) -> Iterator[PushSession]:
    """A session that is over with the block, whether it was finished or not.

    :param observe: gets the events of ``push``, and `PushPaused`, from other threads.
    """
    session = PushSession(push, store, observe)
    try:
        yield session
    finally:
        session.end()


def _together(before: Sequence[PushReport], last: PushReport, closure: int) -> PushReport:
    reports = (*before, last)
    done = [report.uploaded for report in reports if report.uploaded is not None]
    return evolve(
        last,
        closure=closure,
        missing=tuple(path for report in reports for path in report.missing),
        missing_sizes=tuple(size for report in reports for size in report.missing_sizes),
        missing_bytes=sum(report.missing_bytes for report in reports),
        uploaded=Uploaded(
            published=sum(each.published for each in done),
            reused=sum(each.reused for each in done),
            nar_bytes=sum(each.nar_bytes for each in done),
            file_bytes=sum(each.file_bytes for each in done),
            peak_memory=max((each.peak_memory for each in done), default=0),
        ),
        requests=PaceStatistics(
            requests=sum(report.requests.requests for report in reports),
            repeated=sum(report.requests.repeated for report in reports),
            throttled=sum(report.requests.throttled for report in reports),
        ),
        seconds=sum(report.seconds for report in reports),
    )
