"""What is behind progress: how far builds, evaluations and pushes are, from their events, and what to tell of it in words.

Nothing here draws; `nixgen.cli.progress` does, as lines or as a live view.
"""

from __future__ import annotations

from nixgen.cache.push import events as cache
from nixgen.cli.console import human_size
from nixgen.driver.evaluate import events as evaluation
from nixgen.driver.messages import events as nix

__all__ = ["Evaluating", "Places", "Pushing", "silent_upstream"]


class Places:
    """Where builds run, and what there is to tell of builders that cannot be used: once each, when it is known who builds
    instead. When nobody does, it is the error that tells.
    """

    def __init__(self) -> None:
        self._machines: dict[str, str] = {}
        self._untold: list[str] = []
        self._seen: set[str] = set()

    def follow(self, event: nix.Event) -> list[str]:
        """What to tell now."""
        match event:
            case nix.BuilderUnavailable(machine=machine, words=words) if machine not in self._seen:
                self._seen.add(machine)
                self._untold += words[:1]
            case nix.BuildStarted(drv=drv, machine=machine):
                if machine:
                    self._machines[drv] = machine
                told, self._untold = self._untold, []
                place = f"on {machine}" if machine else "here"
                return [f"{text}; building {place}" for text in told]
            case _:
                pass
        return []

    def name(self, drv: str) -> str:
        """``nginx-1.22 on big-1``."""
        machine = self._machines.get(drv)
        return f"{nix.drv_name(drv)} on {machine}" if machine else nix.drv_name(drv)


class Evaluating:
    """How far the evaluation is, and what to tell of it."""

    def __init__(self) -> None:
        self._running: dict[str, None] = {}
        self._done = self._total = 0

    def follow(self, event: object) -> list[str]:
        """What to tell now."""
        match event:
            case evaluation.EvaluationStarted(targets=targets):
                self._total += targets
            case evaluation.TargetStarted(attr=attr):
                self._running[attr] = None
            case evaluation.TargetEvaluated(attr=attr) | evaluation.TargetRefused(attr=attr):
                self._running.pop(attr, None)
                self._done += 1
            case evaluation.EvaluationSaid(text=text):
                return [text]
            case _:
                pass
        return []

    @property
    def count(self) -> str:
        """``7/20``"""
        return f"{self._done}/{self._total}"

    @property
    def line(self) -> str:
        """``evaluating 7/20  machines.web, machines.db``; empty when nothing has to be evaluated."""
        if self._done >= self._total:
            return f"evaluated {self._total} targets" if self._total else ""
        return f"evaluating {self.count}  {', '.join(self._running)}".rstrip()


class Pushing:
    """What a push beside the builds has done, in batches whose number nobody knows."""

    def __init__(self) -> None:
        self._done = self._expected = self._bytes = 0

    def follow(self, event: object) -> list[str]:
        """What to tell now."""
        match event:
            case cache.Planned(missing=missing):
                self._expected += missing
            case cache.Published():
                self._done += 1
            case cache.NarRead(size=size):
                self._bytes += size
            case cache.UpstreamSilent(url=url, reason=reason):
                return [silent_upstream(url, reason)]
            case cache.PushPaused(reason=reason):
                return [f"warning: pushing waits for the end of the build: {reason}"]
            case _:
                pass
        return []

    @property
    def line(self) -> str:
        """``pushed 12/15 paths, 34 MB``; empty as long as nothing is to be pushed."""
        if not self._expected:
            return ""
        return f"pushed {self._done}/{self._expected} paths, {human_size(self._bytes)}"


def silent_upstream(url: str, reason: str) -> str:
    return f"the upstream {url} does not answer, so all that it may have is pushed: {reason}"
