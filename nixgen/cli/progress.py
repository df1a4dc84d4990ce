"""Progress of long work: a live view on a terminal, a line for each finished thing elsewhere.

Everything goes to standard error, so that standard output stays what the command was asked for.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nixgen.cache.push import events as cache
from nixgen.cli.console import err, human_size, note
from nixgen.cli.followers import Evaluating, Places, Pushing, silent_upstream
from nixgen.driver.evaluate import events as evaluation
from nixgen.driver.messages import events as nix

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress import Progress
    from rich.text import Text

__all__ = [
    "build_progress",
    "bytes_progress",
    "fetch_progress",
    "image_progress",
    "is_live",
    "push_progress",
    "store_name",
    "test_progress",
    "working",
]

#: Seconds of an evaluation; a line for each of many that take less would tell nothing.
_WORTH_TELLING = 1.0
#: Builds shown at a time; more would scroll the terminal away.
_SHOWN = 8
#: bytes of a download that is told of when it is done
_WORTH_A_LINE = 1_000_000


def is_live() -> bool:
    """Whether somebody watches standard error."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _ignore(_event: object) -> None:
    pass


def store_name(path: str) -> str:
    """What people call it: without its hash."""
    name = path.rpartition("/")[2]
    return name[33:] if name[32:33] == "-" else name


@contextlib.contextmanager
def build_progress(*, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """What Nix is doing: builds running with their last line, counts, failures as they happen; and a push beside it."""
    if quiet or not is_live():
        yield _ignore if quiet else _PlainBuilds()
        return
    view = _LiveBuilds()
    with view.live:
        yield view


class _PlainBuilds:
    """One line for each build that took a moment; Nix's warnings as they come."""

    def __init__(self) -> None:
        self._places = Places()
        self._evaluating = Evaluating()
        self._pushing = Pushing()

    def __call__(self, event: Any) -> None:
        for text in self._places.follow(event):
            note(f"warning: {text}")
        for text in (*self._evaluating.follow(event), *self._pushing.follow(event)):
            note(text)
        match event:
            case evaluation.TargetEvaluated(attr=attr, seconds=seconds) if (
                seconds is None or seconds >= _WORTH_TELLING
            ):
                took = "" if seconds is None else f" ({seconds:.1f} s)"
                note(f"evaluated {self._evaluating.count} {attr}{took}")
            case evaluation.TargetRefused(attr=attr):
                note(f"FAILED  {self._evaluating.count} {attr}")
            case cache.Published(path=path):
                note(f"pushed  {store_name(path)}")
            case nix.BuildFinished(drv=drv, seconds=seconds):
                note(f"built   {self._places.name(drv)} ({seconds:.1f} s)")
            case nix.BuildFailed(drv=drv, seconds=seconds):
                note(f"FAILED  {self._places.name(drv)} ({seconds:.1f} s)")
            case nix.TransferFinished(kind="substitute", item=item, seconds=seconds):
                note(f"fetched {store_name(item)} ({seconds:.1f} s)")
            case nix.Message(level=1, text=text):
                note(text)
            case _:
                pass


class _LiveBuilds:
    """A few lines at the bottom of the terminal; finished builds do not scroll by, failures stay."""

    def __init__(self) -> None:
        from rich.live import Live

        self._running: dict[str, tuple[float, str]] = {}
        self._places = Places()
        self._evaluating = Evaluating()
        self._pushing = Pushing()
        self._done = self._expected = self._failed = self._fetched = 0
        self._doing = "starting"
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._live = Live(
            get_renderable=self._render, console=err(), refresh_per_second=8, transient=True
        )

    @property
    def live(self) -> Live:
        return self._live

    def __call__(self, event: Any) -> None:
        with self._lock:
            told = list(self._follow(event))
        # After the lock: drawing has one of its own, behind which `_render` waits for ours.
        for line in told:
            self._live.console.print(line)

    def _follow(self, event: Any) -> Iterator[Text]:
        """What to tell now, above the view."""
        from rich.text import Text

        for text in self._places.follow(event):
            yield Text(f"warning: {text}", "yellow")
        for text in (*self._evaluating.follow(event), *self._pushing.follow(event)):
            yield Text(text, "yellow")
        match event:
            case nix.BuildStarted(drv=drv):
                self._running[drv] = (time.monotonic(), "")
            case nix.BuildLine(drv=drv, text=text):
                if drv in self._running:
                    self._running[drv] = (self._running[drv][0], text)
            case nix.BuildPhase(drv=drv, phase=phase):
                if drv in self._running:
                    self._running[drv] = (self._running[drv][0], phase)
            case nix.BuildFinished(drv=drv):
                self._running.pop(drv, None)
                self._done += 1
            case nix.BuildFailed(drv=drv, seconds=seconds):
                self._running.pop(drv, None)
                self._failed += 1
                failed = f" {self._places.name(drv)} ({seconds:.1f} s)"
                yield Text.assemble(("failed", "bold red"), failed)
            case nix.TransferFinished():
                self._fetched += 1
            case nix.Progress(what="builds", expected=expected):
                self._expected = max(self._expected, expected)
            case evaluation.TargetRefused(attr=attr):
                yield Text.assemble(("failed", "bold red"), f" {attr}")
            case nix.Message(level=1, text=text):
                yield Text(text, "yellow")
            case nix.Message(level=3, text=text) if not self._expected:
                # before Nix counts: resolving
                self._doing = text.partition("\n")[0]
            case _:
                pass

    def _render(self) -> Any:
        from rich.text import Text

        with self._lock:
            now = time.monotonic()
            total = max(self._expected, self._done + len(self._running))
            doing = self._evaluating.line or self._doing
            doing = doing[: max(20, err().width - 10)]
            head = Text.assemble(
                *([(f"{self._done}", "bold green"), f"/{total} built"] if total else [doing]),
                *([f", {self._fetched} fetched"] if self._fetched else []),
                *([(f", {self._failed} failed", "bold red")] if self._failed else []),
                (f"  {now - self._started:.0f} s", "dim"),
            )
            rows = [head]
            oldest = sorted(self._running.items(), key=lambda item: item[1][0])
            for drv, (since, line) in oldest[:_SHOWN]:
                rows.append(
                    Text.assemble(
                        (f"  {now - since:5.1f} s ", "dim"),
                        (self._places.name(drv), "cyan"),
                        (f"  {line}"[: max(10, err().width - 45)], "dim"),
                        no_wrap=True,
                        overflow="ellipsis",
                    )
                )
            if len(oldest) > _SHOWN:
                rows.append(Text(f"  … and {len(oldest) - _SHOWN} more", style="dim"))
            if self._pushing.line:
                rows.append(Text(self._pushing.line, style="dim"))
        return Text("\n").join(rows)


@contextlib.contextmanager
def working(what: str, *, quiet: bool) -> Iterator[None]:
    """What takes a moment of which nothing more can be told: on a terminal with the seconds, and gone at the end."""
    if quiet or not is_live():
        if not quiet:
            note(what)
        yield
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as progress:
        progress.add_task(what, total=None)
        yield


@contextlib.contextmanager
def bytes_progress(what: str) -> Iterator[Progress]:
    """A bar of bytes, with their rate and what remains."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn(what),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
    )
    with Progress(*columns, console=err(), transient=True) as progress:
        yield progress


@contextlib.contextmanager
def fetch_progress(what: str, *, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """Bytes of what is being downloaded; without a terminal a line for what took a moment."""
    if quiet or not is_live():
        received: dict[str, int] = {}

        def plain(event: Any) -> None:
            match event:
                case nix.TransferProgress(item=url, done=done):
                    received[url] = done
                case nix.TransferFinished(kind="fetch", item=url, seconds=seconds):
                    size = received.get(url, 0)
                    if size > _WORTH_A_LINE or (size and seconds > 1):
                        note(f"fetched {url}, {human_size(size)} ({seconds:.1f} s)")
                case nix.Message(level=3, text=text):
                    note(text)
                case _:
                    pass

        yield _ignore if quiet else plain
        return
    with bytes_progress(f"fetching {what}") as progress:
        task = progress.add_task("", total=None)

        def live(event: Any) -> None:
            match event:
                case nix.TransferStarted(kind="fetch", item=url):
                    progress.reset(task, description=url, total=None)
                case nix.TransferProgress(done=done, expected=expected):
                    progress.update(task, completed=done, total=expected or None)
                case nix.Message(level=3, text=text):
                    progress.update(task, description=text)
                case _:
                    pass

        yield live


@contextlib.contextmanager
def push_progress(*, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """Bytes read, their rate, and what remains."""
    from nixgen.cache.push.events import CollectorAhead, NarRead, Planned, Published, UpstreamSilent

    if quiet:
        yield _ignore
        return
    if not is_live():

        def plain(event: Any) -> None:
            match event:
                case Planned(paths=paths, missing=missing, nar_bytes=size):
                    note(f"{missing} of {paths} paths to push, {human_size(size)}")
                case Published(path=path):
                    note(f"pushed  {store_name(path)}")
                case UpstreamSilent(url=url, reason=reason):
                    note(silent_upstream(url, reason))
                case CollectorAhead(holder=holder):
                    note(f"waiting for the collector {holder}")
                case _:
                    pass

        yield plain
        return
    with bytes_progress("pushing") as progress:
        task = progress.add_task("", total=None)

        def live(event: Any) -> None:
            match event:
                case Planned(nar_bytes=size):
                    # beside a build, there is a plan for each batch
                    progress.update(task, total=(progress.tasks[0].total or 0) + size)
                case NarRead(path=path, size=size):
                    progress.update(task, advance=size, description=store_name(path))
                case UpstreamSilent(url=url, reason=reason):
                    progress.console.print(
                        silent_upstream(url, reason), style="yellow", markup=False
                    )
                case CollectorAhead(holder=holder):
                    progress.update(task, description=f"waiting for the collector {holder}")
                case _:
                    pass

        yield live


@contextlib.contextmanager
def image_progress(*, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """Layers as they are written; reused ones only as a count."""
    from nixgen.oci.events import ImageWritten, LayersPlanned, LayerWritten

    if quiet:
        yield _ignore
        return
    if not is_live():

        def plain(event: Any) -> None:
            match event:
                case LayerWritten(size=size, seconds=seconds):
                    note(f"layer   {human_size(size)} ({seconds:.1f} s)")
                case ImageWritten(image=image, changed=changed):
                    note(f"image   {image}{'' if changed else ' (unchanged)'}")
                case _:
                    pass

        yield plain
        return
    with bytes_progress("layers") as progress:
        task = progress.add_task("", total=None)

        def live(event: Any) -> None:
            match event:
                case LayersPlanned(size=size):
                    progress.update(task, total=size)
                case LayerWritten(tar_size=size):
                    progress.update(task, advance=size)
                case _:
                    pass

        yield live


@contextlib.contextmanager
def test_progress(*, quiet: bool, serial: bool) -> Iterator[Callable[[Any], None]]:
    """Machines as they come up and steps as they end; the serial consoles when asked for."""
    from nixgen.vm.record.events import (
        ConsoleLine,
        MachineUp,
        StepFinished,
        StoreImageReady,
        TestStarted,
    )

    def show(event: Any) -> None:
        match event:
            case StoreImageReady(paths=paths, size=size, seconds=seconds, cached=False):
                note(f"disk    {paths} paths, {human_size(size)} ({seconds:.1f} s)")
            case TestStarted(test=test, machines=machines, acceleration=acceleration):
                slow = ", software emulation" if acceleration == "tcg" else ""
                note(f"boot    {test}: {', '.join(machines)} ({acceleration}{slow})")
            case MachineUp(machine=machine, seconds=seconds):
                note(f"up      {machine} ({seconds:.1f} s)")
            case StepFinished(kind="subtest", title=title, seconds=seconds, ok=ok, depth=depth):
                note(f"{'passed' if ok else 'FAILED':<7} {'  ' * depth}{title} ({seconds:.1f} s)")
            case StepFinished(ok=False, kind="action", machine=machine, title=title):
                note(f"FAILED  {machine or ''}: {title}")
            case ConsoleLine(machine=machine, text=text) if serial:
                note(f"{machine}| {text}")
            case _:
                pass

    yield _ignore if quiet else show
