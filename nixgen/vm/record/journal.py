"""The journal of a run: a tree of steps with their durations, made while the script runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from nixgen.vm.record.events import ConsoleLine, Event, Observer, StepFinished, StepStarted
from nixgen.vm.record.mask import Mask
from nixgen.vm.record.report import Entry, StepKind

__all__ = ["Journal", "Step"]

_OUTPUT_TAIL = 4000


class Step:
    """A step that has not ended yet.

    :param kind: of the step.
    :param title: such as the command.
    :param mask: hides the values of secrets.
    """

    def __init__(self, kind: StepKind, title: str, mask: Mask) -> None:
        self.kind = kind
        self.title = mask(title)
        self._mask = mask
        self.output = ""
        self.status: int | None = None
        self.failed = False
        self.children: list[Entry] = []

    def note(self, output: str) -> None:
        """Keep the last 4,000 characters of an output for the report.

        :param output: of the step.
        """
        # before it is cut: half of a value would not be found
        self.output = self._mask(output)[-_OUTPUT_TAIL:]


class Journal:
    """Collects steps, and passes events on. Each thread has its own place in the tree.

    :param observe: receives the events.
    :param mask: hides the values of secrets in every step and event. None hides nothing.
    """

    def __init__(self, observe: Observer, mask: Mask | None = None) -> None:
        self._observe = observe
        self.mask = mask or Mask()
        self._started = time.monotonic()
        self._roots: list[Entry] = []
        self._local = threading.local()
        self._lock = threading.Lock()
        self.show_console = True

    @property
    def elapsed(self) -> float:
        """Seconds since the journal was made."""
        return time.monotonic() - self._started

    def emit(self, event: Event) -> None:
        """Pass an event on; only one at a time.

        :param event: the event.
        """
        with self._lock:
            self._observe(event)

    def console(self, machine: str, text: str) -> None:
        """Pass on a line of a console.

        :param machine: name of the machine.
        :param text: the line.
        """
        self.emit(ConsoleLine(machine=machine, text=self.mask(text), shown=self.show_console))

    def entries(self) -> tuple[Entry, ...]:
        """The steps at the top of the tree that have ended, oldest first."""
        return tuple(self._roots)

    @contextlib.contextmanager
    def step(self, kind: StepKind, title: str, machine: str | None = None) -> Iterator[Step]:
        """Record a step, which is the ``with`` block.

        It fails when an exception leaves the block. `sys.exit` with 0 or None is no failure.

        :param kind: of the step.
        :param title: such as the command.
        :param machine: name of the machine; None for a step of no machine.
        """
        stack = self._stack()
        depth = len(stack)
        step = Step(kind, title, self.mask)
        begun = self.elapsed
        self.emit(StepStarted(kind=kind, machine=machine, title=step.title, depth=depth))
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
            entry = Entry(
                kind=kind,
                title=step.title,
                machine=machine,
                start=begun,
                seconds=self.elapsed - begun,
                ok=ok,
                status=step.status,
                output=step.output,
                children=tuple(step.children),
            )
            (stack[-1].children if stack else self._roots).append(entry)
            self.emit(StepFinished(entry=entry, depth=depth))

    def log(self, text: str, machine: str | None = None) -> None:
        """Record a line of text, as a step of its own.

        :param text: the line.
        :param machine: name of the machine; None for a line about no machine.
        """
        with self.step("log", text, machine):
            pass

    def _stack(self) -> list[Step]:
        stack: list[Step] | None = getattr(self._local, "stack", None)
        if stack is None:
            stack = self._local.stack = []
        return stack
