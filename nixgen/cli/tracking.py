"""Trackers compute from the events of running work how far it is, and the lines to print about it.

Nothing here draws. `nixgen.cli.progress` shows a tracker as a live view on a terminal, and as lines
in a log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

import attrs

from nixgen.cache.push import events as cache
from nixgen.cli.console import human_size
from nixgen.driver.evaluate import events as evaluation
from nixgen.driver.messages import events as nix
from nixgen.errors import counted
from nixgen.oci import events as oci
from nixgen.store.path import BASE_NAME, base_name, path_name

__all__ = [
    "BuildTracker",
    "FetchTracker",
    "ImageTracker",
    "Line",
    "PushTracker",
    "Tracker",
    "store_name",
]

#: An evaluation of fewer seconds gets no line.
_WORTH_TELLING = 1.0
#: A download of fewer bytes gets no line.
_WORTH_A_LINE = 1_000_000
#: The most names in a line about running builds.
_NAMES = 4

#: A message of Nix that it tries a download again, as a warning or as an error. An evaluation sends
#: single lines, and the answer of the server can be between the first one and the word "retrying".
_RETRY = re.compile(
    r"(?:warning: )?(?:error: )?(?P<failure>.*)[;:] (?P<when>retrying .*)"
    r"|warning: error: (?P<line>unable to download .*)",
    re.DOTALL,
)

#: What Nix says about every path of a cache that no trusted key signed. The cache gets one line.
_UNTRUSTED = re.compile(r"substitute for '[^']+' from '([^']+)',? .*not signed by any of the keys")


@attrs.frozen
class Line:
    """A line about one event.

    :param text: the line, without its end.
    :param style: how a terminal shows it: ``warning``, ``failed`` or as plain text.
    :param level: ``always``; ``log``, only in logs, because a live view shows the same; or
        ``verbose``, only in logs with ``--verbose``.
    """

    text: str
    style: Literal["", "warning", "failed"] = ""
    level: Literal["always", "log", "verbose"] = "log"


class Tracker(Protocol):
    """The progress of one kind of work, in bytes.

    :ivar what: the work, in one or two words.
    :ivar done: the bytes until now.
    :ivar total: the bytes altogether; None while unknown.
    :ivar doing: the item in work, or an empty string.
    """

    what: str = ""
    done: int = 0
    total: int | None = None
    doing: str = ""

    def follow(self, event: Any) -> Iterable[Line]:
        """Take an event into account, and return the lines to print about it.

        :param event: an event of the work. Others are ignored.
        """

    def summary(self) -> str:
        """One line about the whole work; empty when there is none."""


def store_name(path: str) -> str:
    """The name of a store path without its digest; of another path its last part.

    :param path: the path.
    """
    name = base_name(path)
    return path_name(path) if BASE_NAME.fullmatch(name) else name


def _retry(event: object) -> str:
    """``retrying in 300 ms: unable to download …``; empty unless Nix tries a download again."""
    if not isinstance(event, (nix.Message, evaluation.EvaluationMessage)):
        return ""
    found = _RETRY.fullmatch(event.text)
    if found is None:
        return ""
    return f"{found['when'] or 'retrying'}: {found['failure'] or found['line']}"


def _warning(text: str) -> Line:
    return Line(text, "warning", "always")


class _Builders:
    """The computers that build.

    A builder that cannot be used is reported once, when the next build starts on another computer.
    When none does, the error of the build reports it.
    """

    def __init__(self) -> None:
        self._machines: dict[str, str] = {}
        self._unreported: list[str] = []
        self._seen: set[str] = set()

    def follow(self, event: nix.Event) -> Iterator[Line]:
        match event:
            case nix.BuilderUnavailable(machine=machine, words=words) if machine not in self._seen:
                self._seen.add(machine)
                self._unreported += words[:1]
            case nix.BuildStarted(drv=drv, machine=machine):
                if machine:
                    self._machines[drv] = machine
                place = f"on {machine}" if machine else "here"
                reasons, self._unreported = self._unreported, []
                for text in reasons:
                    yield _warning(f"warning: {text}; building {place}")

    def name(self, drv: str) -> str:
        """A derivation and the builder it was given to: ``nginx-1.22 on big-1``."""
        machine = self._machines.get(drv)
        return f"{nix.drv_name(drv)} on {machine}" if machine else nix.drv_name(drv)


class _Evaluation:
    """The evaluation of targets."""

    def __init__(self) -> None:
        self._running: dict[str, None] = {}
        self._done = self._total = 0

    def follow(self, event: object) -> Iterator[Line]:
        match event:
            case evaluation.EvaluationStarted(targets=targets):
                self._total += targets
            case evaluation.TargetStarted(attr=attr):
                self._running[attr] = None
            case evaluation.TargetEvaluated(attr=attr, seconds=seconds):
                count = self._finish(attr)
                if seconds is None:
                    yield Line(f"evaluated {count} {attr}")
                elif seconds >= _WORTH_TELLING:
                    yield Line(f"evaluated {count} {attr} ({seconds:.1f} s)")
            case evaluation.TargetRefused(attr=attr):
                yield Line(f"FAILED  {self._finish(attr)} {attr}", "failed", "always")
            case evaluation.EvaluationMessage(text=text):
                yield _warning(text)

    def _finish(self, attr: str) -> str:
        """``7/20``: targets that are done, and all of them."""
        self._running.pop(attr, None)
        self._done += 1
        return f"{self._done}/{self._total}"

    @property
    def is_over(self) -> bool:
        return self._done >= self._total

    def summary(self) -> str:
        """``evaluating 7/20  machines.web, machines.db``; empty if nothing has to be evaluated."""
        if self.is_over:
            return f"evaluated {counted(self._total, 'target')}" if self._total else ""
        names = ", ".join(self._running)
        return f"evaluating {self._done}/{self._total}  {names}".rstrip()


class PushTracker(Tracker):
    """A push to a cache.

    :param beside_build: paths come in small batches while they are built, so no batch gets a line.
    """

    what = "pushing"

    def __init__(self, *, beside_build: bool = False) -> None:
        self._beside_build = beside_build
        self._published = self._expected = 0

    def follow(self, event: Any) -> Iterator[Line]:
        match event:
            case cache.Planned(paths=paths, missing=missing, nar_bytes=size):
                self._expected += missing
                self.total = (self.total or 0) + size
                if not self._beside_build:
                    yield Line(f"{missing} of {counted(paths, 'path')} to push, {human_size(size)}")
            case cache.NarRead(path=path, size=size):
                self.done += size
                self.doing = store_name(path)
            case cache.Published(path=path):
                self._published += 1
                yield Line(f"pushed  {store_name(path)}", level="verbose")
            case cache.UpstreamSilent(url=url, reason=reason):
                yield _warning(
                    f"the upstream {url} does not answer, so all that it may have is pushed: {reason}"
                )
            case cache.PushPaused(reason=reason):
                yield _warning(f"warning: pushing waits for the end of the build: {reason}")
            case cache.CollectorAhead(holder=holder):
                self.doing = f"waiting for the collector {holder}"
                yield Line(self.doing)

    def summary(self) -> str:
        """``pushed 12/15 paths, 34 MB``; empty as long as nothing is to be pushed."""
        if not self._expected:
            return self.doing
        return (
            f"pushed {self._published}/{counted(self._expected, 'path')}, {human_size(self.done)}"
        )


class BuildTracker:
    """Evaluating and building targets, and a push beside it.

    :ivar running: derivation → the time it was started, and the last line of its log.
    :ivar built: derivations that are done, as `fetched` and `failed` count.
    :ivar expected: derivations that Nix counts altogether.
    :ivar retrying: the download that Nix tries again, or an empty string.
    """

    def __init__(self) -> None:
        self.running: dict[str, tuple[float, str]] = {}
        self.built = self.expected = self.failed = self.fetched = 0
        self.retrying = ""
        self.pushing = PushTracker(beside_build=True)
        self._builders = _Builders()
        self._evaluation = _Evaluation()
        self._step = "starting"
        self._untrusted: set[str] = set()

    def follow(self, event: Any) -> Iterator[Line]:
        """Take an event into account, and return the lines to print about it.

        :param event: an event of evaluating, building or pushing. Others are ignored.
        """
        if retry := _retry(event):
            self.retrying = retry
            yield Line(retry, level="verbose")
            return
        for part in (self._builders, self._evaluation, self.pushing):
            yield from part.follow(event)
        match event:
            case nix.BuildStarted(drv=drv):
                self.running[drv] = (time.monotonic(), "")
            case nix.BuildLine(drv=drv, text=text) | nix.BuildPhase(drv=drv, phase=text):
                if drv in self.running:
                    self.running[drv] = (self.running[drv][0], text)
            case nix.BuildFinished(drv=drv, seconds=seconds):
                self.running.pop(drv, None)
                self.built += 1
                yield Line(f"built   {self.name(drv)} ({seconds:.1f} s)", level="verbose")
            case nix.BuildFailed(drv=drv, seconds=seconds):
                self.running.pop(drv, None)
                self.failed += 1
                yield Line(f"FAILED  {self.name(drv)} ({seconds:.1f} s)", "failed", "always")
            case nix.TransferFinished(kind=kind, item=item, seconds=seconds):
                self.fetched += 1
                self.retrying = ""
                if kind == "substitute":
                    yield Line(f"fetched {store_name(item)} ({seconds:.1f} s)", level="verbose")
            case nix.Progress(what="builds", expected=expected):
                self.expected = max(self.expected, expected)
            case evaluation.TargetEvaluated():
                self.retrying = ""
            case nix.Message(level=1, text=text) if found := _UNTRUSTED.search(text):
                level: Literal["always", "verbose"] = "always"
                if found[1] in self._untrusted:
                    level = "verbose"
                self._untrusted.add(found[1])
                yield Line(text, "warning", level)
            case nix.Message(level=1, text=text):
                yield _warning(text)
            case nix.Message(level=3, text=text) if not self.expected:
                # before Nix counts: resolving
                self._step = text.partition("\n")[0]

    def name(self, drv: str) -> str:
        """The name of a derivation, and of its builder if that is another computer.

        :param drv: the store path of the derivation.
        """
        return self._builders.name(drv)

    @property
    def total(self) -> int:
        """Derivations to build, as far as they are known."""
        return max(self.expected, self.built + len(self.running))

    @property
    def step(self) -> str:
        """The work before anything is built: ``evaluating 7/20  machines.web``."""
        return self._evaluation.summary() or self._step

    def summary(self) -> str:
        """``building 3/20, 7 fetched: nginx-1.22, redis``, for a log."""
        text = f"building {self.built}/{self.total}" if self.total else self.step
        if not self._evaluation.is_over and self.total:
            text = f"{self.step}; {text}"
        if self.fetched:
            text += f", {self.fetched} fetched"
        if self.failed:
            text += f", {self.failed} failed"
        if self.running:
            oldest = sorted(self.running, key=lambda drv: self.running[drv][0])
            more = len(oldest) - _NAMES
            text += f": {', '.join(map(self.name, oldest[:_NAMES]))}"
            text += f" and {more} more" if more > 0 else ""
        return "; ".join(filter(None, (text, self.pushing.summary(), self.retrying)))


class FetchTracker(Tracker):
    """Downloads.

    :param what: the input that is being fetched.
    """

    def __init__(self, what: str) -> None:
        self.what = f"fetching {what}"
        self._received: dict[str, int] = {}

    def follow(self, event: Any) -> Iterator[Line]:
        match event:
            case nix.TransferStarted(kind="fetch", item=url):
                self.done, self.total, self.doing = 0, None, url
            case nix.TransferProgress(item=url, done=done, expected=expected):
                self._received[url] = self.done = done
                self.total = expected or None
            case nix.TransferFinished(kind="fetch", item=url, seconds=seconds):
                size = self._received.get(url, 0)
                if size > _WORTH_A_LINE or (size and seconds > _WORTH_TELLING):
                    yield Line(f"fetched {url}, {human_size(size)} ({seconds:.1f} s)")
            case nix.Message(level=3, text=text):
                self.doing = text
                yield Line(text)

    def summary(self) -> str:
        return f"{self.doing or self.what}, {human_size(self.done)}"


class ImageTracker(Tracker):
    """Layers and images as they are written. Layers that are there already are not mentioned."""

    what = "layers"

    def follow(self, event: Any) -> Iterator[Line]:
        match event:
            case oci.LayersPlanned(size=size):
                self.total = size
            case oci.LayerWritten(tar_size=tar_size, size=size, seconds=seconds):
                self.done += tar_size
                yield Line(f"layer   {human_size(size)} ({seconds:.1f} s)", level="verbose")
            case oci.ImageWritten(image=image, changed=changed):
                yield Line(f"image   {image}{'' if changed else ' (unchanged)'}")

    def summary(self) -> str:
        return f"layers: {human_size(self.done)} of {human_size(self.total or 0)}"
