"""A push that runs while Nix builds: finished outputs go to the cache, and the build never waits.

A thread of low priority takes the derivations that have finished since its last push, and pushes
their outputs with their closures. When a push fails, the thread stops; the end of the session tries
once more and raises the error.
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
"""Pushes the closures of store paths, with an observer, and records the root; see `push`."""

_NICE = 10
"""The nice value of the thread; builders come first. Linux has one for each thread
(setpriority(2))."""

_END_SECONDS = 10.0


class _EndedError(Exception):
    """The session was left early."""


class PushSession:
    """A push that runs while Nix builds; `push_session` makes one.

    Give it the build's events (it is an observer), then call `finish`.

    :param push: pushes store paths.
    :param store: the store of the build.
    :param observe: receives the events of ``push``, and `PushPaused`, from another thread.
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
        """Receive an event of the build. Returns at once.

        :param event: of any kind.
        """
        if isinstance(event, BuildFinished):
            self._finished.put(event.drv)

    def add(self, paths: Iterable[str]) -> None:
        """Push more paths, which need no build. Returns at once.

        :param paths: store paths; a derivation stands for its outputs.
        """
        for path in paths:
            self._finished.put(path)

    def watch(self, observe: Observer) -> None:
        """Give the events of the push to another observer from now on.

        :param observe: the new observer.
        """
        self._observe = observe

    def finish(self, paths: Iterable[str], *, root: Root | None = None) -> PushReport:
        """Push the rest after the end of the build.

        :param paths: the results of the build; they are pushed with their closures.
        :param root: the paths that collection is to keep.
        :returns: the report of the whole session.
        :raises NixgenError: as the push itself; paths that were pushed before stay pushed.
        """
        self._finished.put(None)
        self._thread.join()
        wanted = tuple(dict.fromkeys(paths))
        last = self._push(wanted, self._tell, root)
        return _together(self._reports, last, self._closure_size(wanted))

    def end(self) -> None:
        """Stop at once. After `finish` this does nothing."""
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
        # An output that is not registered yet comes with the closures of the targets.
        valid = self._store.valid([*built, *(path for path in batch if not path.endswith(".drv"))])
        if valid and not self._ended:
            self._reports.append(self._push(sorted(valid), self._tell, None))

    def _tell(self, event: object) -> None:
        if self._ended:
            raise _EndedError
        self._observe(event)

    def _closure_size(self, paths: Iterable[str]) -> int:
        """The number of different paths of the session.

        Outputs that only other builds needed are pushed, too, and are not in the targets' closures.
        """
        pushed = {info.path for report in self._reports for info in report.plan.missing}
        return len(pushed.union(info.path for info in self._store.closure(paths)))


@contextlib.contextmanager
def push_session(push: Push, *, store: Store, observe: Observer) -> Iterator[PushSession]:
    """A session that ends with the block, whether it was finished or not.

    :param push: pushes store paths.
    :param store: the store of the build.
    :param observe: receives the events of ``push``, and `PushPaused`, from another thread.
    """
    session = PushSession(push, store, observe)
    try:
        yield session
    finally:
        session.end()


def _together(before: Sequence[PushReport], last: PushReport, closure: int) -> PushReport:
    reports = (*before, last)
    return evolve(
        last,
        plan=evolve(
            last.plan,
            closure=closure,
            missing=tuple(info for report in reports for info in report.plan.missing),
        ),
        uploaded=sum((report.uploaded or Uploaded() for report in reports), Uploaded()),
        requests=sum((report.requests for report in reports), PaceStatistics()),
        seconds=sum(report.seconds for report in reports),
    )
