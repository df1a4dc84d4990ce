"""The record of a run: a tree of steps with their durations, built while the script runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Literal

from nixgen.vm.record.events import ConsoleLine, Event, Observer, StepFinished, StepStarted
from nixgen.vm.record.report import Entry

__all__ = ["Journal", "Step"]

_OUTPUT_TAIL = 4000


class Step:
    """A step under way; `note` what it printed before it ends."""

    def __init__(self, kind: Literal["subtest", "action", "command", "log"], title: str) -> None:
        self.kind = kind
        self.title = title
        self.output = ""
        self.status: int | None = None
        self.failed = False
        self.children: list[Entry] = []

    def note(self, output: str) -> None:
        """Keep the end of ``output`` for the report."""
        self.output = output[-_OUTPUT_TAIL:]


class Journal:
    """Collects entries and tells the observer. Each thread has its own place in the tree."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self._started = time.monotonic()
        self._roots: list[Entry] = []
        self._local = threading.local()
        self._lock = threading.Lock()
        self.show_console = True

    @property
    def elapsed(self) -> float:
        """Seconds since the journal began."""
        return time.monotonic() - self._started

    def emit(self, event: Event) -> None:
        with self._lock:
            self._observe(event)

    def console(self, machine: str, text: str) -> None:
        self.emit(ConsoleLine(machine=machine, text=text, shown=self.show_console))

    def entries(self) -> tuple[Entry, ...]:
        """The finished top-level entries, oldest first."""
        return tuple(self._roots)

    @contextlib.contextmanager
    def step(
        self,
        kind: Literal["subtest", "action", "command", "log"],
        title: str,
        machine: str | None = None,
    ) -> Iterator[Step]:
        """Record a step. An exception passing through marks it as failed, but for a successful `sys.exit`."""
        stack = self._stack()
        depth = len(stack)
        step = Step(kind, title)
        begun = self.elapsed
        self.emit(StepStarted(kind=kind, machine=machine, title=title, depth=depth))
        stack.append(step)
        ok = False
        try:
            yield step
            ok = not step.failed
        except SystemExit as end:
            ok = not step.failed and end.code in (None, 0)
            raise
        finally:
            stack.pop()
            seconds = self.elapsed - begun
            entry = Entry(
                kind=kind,
                title=title,
                machine=machine,
                start=begun,
                seconds=seconds,
                ok=ok,
                status=step.status,
                output=step.output,
                children=tuple(step.children),
            )
            (stack[-1].children if stack else self._roots).append(entry)
            self.emit(
                StepFinished(
                    kind=kind,
                    machine=machine,
                    title=title,
                    depth=depth,
                    seconds=seconds,
                    ok=ok,
                    status=step.status,
                    output=step.output,
                )
            )

    def log(self, text: str, machine: str | None = None) -> None:
        with self.step("log", text, machine):
            pass

    def _stack(self) -> list[Step]:
        stack: list[Step] | None = getattr(self._local, "stack", None)
        if stack is None:
            stack = self._local.stack = []
        return stack
