"""Progress of long work: a live view on a terminal, lines for a log elsewhere.

Everything goes to standard error, because standard output is for the result. `nixgen.cli.tracking`
computes how far the work is. A log gets a line for each target and for each minute of waiting;
``--verbose`` adds a line for each store path.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from nixgen.cli.console import err, harmless, human_size, note
from nixgen.cli.tracking import BuildTracker, Line, Tracker
from nixgen.errors import counted
from nixgen.programs.observer import ignore

__all__ = [
    "build_progress",
    "is_live",
    "test_progress",
    "tracked",
    "working",
]

#: Builds shown at a time; more would scroll the terminal away.
_SHOWN = 8
#: Seconds between two lines about work that goes on, in a log.
_MINUTE = 60.0
_STYLES = {"": "", "warning": "yellow", "failed": "bold red"}

_Observe = Callable[[Any], None]


def is_live() -> bool:
    """True if standard error is a terminal that can redraw lines."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def build_progress(*, quiet: bool, verbose: bool = False) -> Iterator[_Observe]:
    """Show evaluating and building, and a push beside it.

    :param quiet: show nothing.
    :param verbose: in a log, print a line for each store path that is built, fetched or pushed.
    """
    if quiet:
        yield ignore
    elif is_live():
        view = _LiveBuilds()
        with view.live:
            yield view
    else:
        with _log(BuildTracker(), verbose=verbose) as log:
            yield log


class _Log:
    """Print the lines of a tracker."""

    def __init__(self, tracker: Tracker | BuildTracker, *, verbose: bool) -> None:
        self._tracker = tracker
        self._verbose = verbose
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: Any) -> None:
        with self._lock:
            lines = list(self._tracker.follow(event))
        for line in lines:
            if self._verbose or line.level != "verbose":
                note(line.text)

    def tell(self) -> None:
        """Print how far the work is."""
        with self._lock:
            summary = self._tracker.summary()
        # a log that cannot be written must not end the thread with a traceback
        with contextlib.suppress(OSError, ValueError):
            note(f"{summary} ({time.monotonic() - self._started:.0f} s)")


@contextlib.contextmanager
def _log(tracker: Tracker | BuildTracker, *, verbose: bool) -> Iterator[_Log]:
    log = _Log(tracker, verbose=verbose)
    over = threading.Event()

    def tell_each_minute() -> None:
        while not over.wait(_MINUTE):
            log.tell()

    thread = threading.Thread(target=tell_each_minute, name="progress", daemon=True)
    thread.start()
    try:
        yield log
    finally:
        over.set()
        thread.join()


class _LiveBuilds:
    """A few lines at the bottom of the terminal. Finished builds disappear, failures stay."""

    def __init__(self) -> None:
        from rich.live import Live

        self._tracker = BuildTracker()
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self.live = Live(
            get_renderable=self._render, console=err(), refresh_per_second=8, transient=True
        )

    def __call__(self, event: Any) -> None:
        with self._lock:
            lines = list(self._tracker.follow(event))
        # After the lock: drawing takes a lock of its own first, and then waits for ours in `_render`.
        _print_above(self.live.console, lines)

    def _render(self) -> Any:
        from rich.text import Text

        with self._lock:
            tracker = self._tracker
            now = time.monotonic()
            step = tracker.step[: max(20, err().width - 10)]
            total = tracker.total
            head = Text.assemble(
                *([(f"{tracker.built}", "bold green"), f"/{total} built"] if total else [step]),
                *([f", {tracker.fetched} fetched"] if tracker.fetched else []),
                *([(f", {tracker.failed} failed", "bold red")] if tracker.failed else []),
                (f"  {now - self._started:.0f} s", "dim"),
            )
            rows = [head]
            oldest = sorted(tracker.running.items(), key=lambda item: item[1][0])
            for drv, (since, line) in oldest[:_SHOWN]:
                rows.append(
                    Text.assemble(
                        (f"  {now - since:5.1f} s ", "dim"),
                        (tracker.name(drv), "cyan"),
                        (f"  {line}"[: max(10, err().width - 45)], "dim"),
                        no_wrap=True,
                        overflow="ellipsis",
                    )
                )
            if len(oldest) > _SHOWN:
                rows.append(Text(f"  … and {len(oldest) - _SHOWN} more", style="dim"))
            for text in (tracker.pushing.summary(), tracker.retrying):
                if text:
                    short = text.replace("\n", " ")[: max(20, err().width - 1)]
                    rows.append(Text(short, style="dim"))
        return Text("\n").join(rows)


def _print_above(console: Any, lines: list[Line]) -> None:
    """Print the lines that stay, above a live view."""
    from rich.text import Text

    for line in lines:
        if line.level == "always":
            console.print(Text(line.text, _STYLES[line.style]))


@contextlib.contextmanager
def working(what: str, *, quiet: bool) -> Iterator[None]:
    """Show a step that takes time and sends no events. A terminal also shows the seconds.

    :param what: the step.
    :param quiet: show nothing.
    """
    if quiet or not is_live():
        if not quiet:
            note(what)
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        progress.add_task(what, total=None)
        yield


@contextlib.contextmanager
def tracked(tracker: Tracker, *, quiet: bool, verbose: bool = False) -> Iterator[_Observe]:
    """Show a tracker: a bar of bytes on a terminal, lines elsewhere.

    :param tracker: computes how far the work is.
    :param quiet: show nothing.
    :param verbose: in a log, print the lines about details, too.
    """
    if quiet:
        yield ignore
        return
    if not is_live():
        with _log(tracker, verbose=verbose) as log:
            yield log
        return
    from rich import progress as bars

    columns = (
        bars.TextColumn(tracker.what, markup=False),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.description}", style="dim", markup=False),
    )
    lock = threading.Lock()
    with bars.Progress(*columns, console=err(), transient=True) as progress:
        task = progress.add_task("", total=None)

        def live(event: Any) -> None:
            with lock:
                lines = list(tracker.follow(event))
                progress.update(
                    task, total=tracker.total, completed=tracker.done, description=tracker.doing
                )
            _print_above(progress.console, lines)

        yield live


@contextlib.contextmanager
def test_progress(*, quiet: bool, serial: bool) -> Iterator[Callable[[Any], None]]:
    """Show machines when they are up and steps when they end.

    :param quiet: show nothing.
    :param serial: show the serial consoles, too.
    """
    from nixgen.vm.record import events as vm

    def show(event: Any) -> None:
        match event:
            case vm.StoreImageReady(paths=paths, size=size, seconds=seconds, cached=False):
                note(f"disk    {counted(paths, 'path')}, {human_size(size)} ({seconds:.1f} s)")
            case vm.TestStarted(test=test, machines=machines, acceleration=acceleration):
                slow = ", software emulation" if acceleration == "tcg" else ""
                note(f"boot    {test}: {', '.join(machines)} ({acceleration}{slow})")
            case vm.MachineUp(machine=machine, seconds=seconds):
                note(f"up      {machine} ({seconds:.1f} s)")
            case vm.StepFinished(entry=step, depth=depth) if step.kind == "subtest":
                mark = "passed" if step.ok else "FAILED"
                note(f"{mark:<7} {'  ' * depth}{harmless(step.title)} ({step.seconds:.1f} s)")
            case vm.StepFinished(entry=step) if step.kind == "action" and not step.ok:
                note(f"FAILED  {step.machine or ''}: {harmless(step.title)}")
            case vm.ConsoleLine(machine=machine, text=text) if serial:
                note(f"{machine}| {harmless(text, painted=True)}")

    yield ignore if quiet else show
