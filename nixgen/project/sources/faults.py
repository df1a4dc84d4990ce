"""The faults of sources that only a look at the disk can find."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from nixgen.errors import Problem
from nixgen.gitignore import Rule
from nixgen.models import Source
from nixgen.project.sources.look import Sources, readable
from nixgen.project.sources.walk import Entry

__all__ = ["source_faults"]


def source_faults(sources: Sources, used: Iterable[tuple[str, Source]]) -> Iterator[Problem]:
    """Find sources that are empty, or that would fail in Nix, far from the line that names them.

    :param sources: the look at the disk.
    :param used: the sources with their model paths.
    :raises InputError: something cannot be read.
    """
    for path, source in used:
        with readable():
            for message, hint in _faults(sources, source):
                where = str(source.origin).removeprefix(f"{sources.root}/")
                yield Problem(path, message, where=where if source.origin else None, hint=hint)


def _faults(sources: Sources, source: Source) -> Iterator[tuple[str, str]]:
    """(message, hint) of each fault.

    :raises OSError: something cannot be read.
    """
    place = sources.place(source)
    try:
        mode = os.lstat(place).st_mode
    except OSError:
        hint = "create it, or correct the path; it is relative to the folder of infra.py"
        yield f"there is no {source.path} in the project", hint
        return
    if stat.S_ISLNK(mode):
        target = os.readlink(place)
        yield (
            f"{source.path} is a link, and only the link would be copied",
            f"name what it leads to: {target}",
        )
    elif culprit := _culprit(sources, source, folder=stat.S_ISDIR(mode)):
        yield (
            f"{source.path} is left out as a whole by {culprit}",
            "take it out of there, or copy it all the same with gitignore=False",
        )
    elif stat.S_ISDIR(mode):
        yield from _of_folder(sources, source)
    elif not stat.S_ISREG(mode):
        yield f"{source.path} is neither a file nor a folder", "name one of these"
    elif source.include is not None or source.exclude:
        yield f"{source.path} is a file: there is nothing to choose from", "name its folder instead"


def _culprit(sources: Sources, source: Source, *, folder: bool) -> str | None:
    if not source.gitignore:
        return None
    listing = sources.listing(source)
    found = sources.gitignores.culprit(listing.repository, listing.place, folder=folder)
    return found and f"{sources.relative_to_project(found[0])}:{found[1]}"


def _of_folder(sources: Sources, source: Source) -> Iterator[tuple[str, str]]:
    _, *entries = sources.listing(source).entries
    missing = [
        pattern
        for pattern, rule in zip(source.include or (), source.include_rules, strict=True)
        if rule.glob.literal is not None
        and not rule.negated
        and not any(_names(rule, entry) for entry in entries)
    ]
    for pattern in missing:
        yield (
            f"nothing that is copied from {source.path} is called {pattern!r}",
            "correct include=[…]; it names things as .gitignore does, and what that leaves out is not copied",
        )
    if not entries and not missing and os.listdir(sources.place(source)):
        chosen = "include=[…] matches nothing" if source.include else "everything in it is left out"
        yield (
            f"{source.path} would be empty: {chosen}",
            "see its include, its exclude and .gitignore",
        )


def _names(rule: Rule, entry: Entry) -> bool:
    subject = entry.name if rule.whole_path else entry.name.rpartition(b"/")[2]
    return rule.matches(subject, folder=entry.kind == "folder")
