"""Progress of the checks of a cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from nixgen.cli.console import note
from nixgen.cli.progress import bytes_progress, is_live, push_progress, store_name

__all__ = ["repair_progress", "upstream_notes", "verify_progress"]

_Observe = Callable[[Any], None]


def upstream_notes(*, quiet: bool) -> _Observe:
    """Says which upstream does not answer, and nothing else."""
    from nixgen.cache.push.events import UpstreamSilent

    def plain(event: Any) -> None:
        match event:
            case UpstreamSilent(url=url, reason=reason) if not quiet:
                note(f"{url} does not answer: {reason}")
            case _:
                pass

    return plain


@contextlib.contextmanager
def verify_progress(*, quiet: bool) -> Iterator[_Observe]:
    """Bytes of archives that were checked, their rate, and what remains; without a terminal, what cannot be asked."""
    from nixgen.cache.check.archives import ArchiveRead, ArchivesPlanned

    plain = upstream_notes(quiet=quiet)
    if quiet or not is_live():
        yield plain
        return
    with bytes_progress("checking") as progress:
        task = progress.add_task("", total=None)

        def live(event: Any) -> None:
            match event:
                case ArchivesPlanned(file_bytes=size):
                    progress.update(task, total=size)
                case ArchiveRead(path=path, size=size):
                    progress.update(task, advance=size, description=store_name(path))
                case _:
                    plain(event)

        yield live


@contextlib.contextmanager
def repair_progress(*, quiet: bool) -> Iterator[tuple[_Observe, _Observe]]:
    """Of the checks, and of the push between them, in one view: a terminal has room for one that lives."""
    from nixgen.cache.check.archives import ArchiveRead, ArchivesPlanned
    from nixgen.cache.push.events import NarRead, Planned, UpstreamSilent

    if quiet or not is_live():
        with verify_progress(quiet=quiet) as observe, push_progress(quiet=quiet) as observe_push:
            yield observe, observe_push
        return
    with bytes_progress("repairing") as progress:
        task = progress.add_task("", total=None)

        def live(event: Any) -> None:
            match event:
                case ArchivesPlanned(file_bytes=size):
                    progress.reset(task, total=size, description="checking")
                case Planned(nar_bytes=size):
                    progress.reset(task, total=size, description="pushing")
                case ArchiveRead(path=path, size=size) | NarRead(path=path, size=size):
                    progress.update(task, advance=size, description=store_name(path))
                case UpstreamSilent(url=url, reason=reason):
                    progress.console.print(f"{url} does not answer: {reason}", markup=False)
                case _:
                    pass

        yield live, live
