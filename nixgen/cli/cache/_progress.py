"""Progress of the checks of a cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nixgen.cache.check.archives import ArchiveRead, ArchivesPlanned
from nixgen.cache.push.events import NarRead, Planned, UpstreamSilent
from nixgen.cli.console import human_size, note
from nixgen.cli.tracking import Line, Tracker, store_name
from nixgen.errors import counted
from nixgen.programs.observer import Observer

__all__ = ["CheckTracker", "upstream_notes"]


class CheckTracker(Tracker):
    """The archives that are read by a check, and those that a repair pushes anew in between.

    Both are in one view, because a terminal has room for one.

    :param what: the work, in one word.
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def follow(self, event: Any) -> Iterator[Line]:
        match event:
            case ArchivesPlanned(file_bytes=size):
                self.done, self.total, self.doing = 0, size, "checking"
            case Planned(paths=paths, missing=missing, nar_bytes=size):
                self.done, self.total, self.doing = 0, size, "pushing"
                yield Line(f"{missing} of {counted(paths, 'path')} to push, {human_size(size)}")
            case ArchiveRead(path=path, size=size) | NarRead(path=path, size=size):
                self.done += size
                self.doing = store_name(path)
            case UpstreamSilent(url=url, reason=reason):
                yield Line(f"{url} does not answer: {reason}", "warning", "always")

    def summary(self) -> str:
        of = f" of {human_size(self.total)}" if self.total else ""
        return f"{self.what}: {human_size(self.done)}{of}"


def upstream_notes(*, quiet: bool) -> Observer:
    """Make an observer that names the upstreams that do not answer, and nothing else.

    :param quiet: name none.
    """

    def observe(event: Any) -> None:
        if isinstance(event, UpstreamSilent) and not quiet:
            note(f"{event.url} does not answer: {event.reason}")

    return observe
