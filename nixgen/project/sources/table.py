"""The rules of .gitignore files that Nix needs to know."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from nixgen.errors import ModelError, Problem
from nixgen.gitignore import IgnoreTable, InexpressibleError, Rule
from nixgen.models import Source
from nixgen.project.sources.gitignores import GITIGNORE, below, relative
from nixgen.project.sources.look import Sources
from nixgen.project.sources.walk import Listing

__all__ = ["ignore_table"]

_HINT = "rewrite the rule, or ignore all .gitignore files with Source(…, gitignore=False)"


def ignore_table(sources: Sources, used: Iterable[tuple[str, Source]]) -> IgnoreTable:
    """Collect the rules that Nix needs for these sources.

    :param sources: the look at the disk.
    :param used: the sources with their model paths.
    :raises ModelError: Nix cannot express some rules. The error has all of them.
    :raises InputError: something is missing or cannot be read.
    """
    tables: dict[str, dict[str, tuple[Rule, ...]]] = {}
    places: dict[str, tuple[str, str]] = {}
    problems: dict[tuple[bytes, int], Problem] = {}
    for path, source in used:
        listing = sources.listing(source)
        if not listing.scopes:
            continue
        for key, problem in _problems(sources, path, listing):
            problems.setdefault(key, problem)
        top = _top(listing)
        name = sources.relative_to_project(below(listing.repository, top))
        places[source.relative_path] = (name, _text(relative(top, listing.place)))
        for scope in listing.scopes:
            tables.setdefault(name, {})[_text(relative(top, scope.folder))] = scope.rules
    if problems:
        raise ModelError(problems.values())
    return IgnoreTable(
        rules={top: dict(sorted(tables[top].items())) for top in sorted(tables)},
        places=dict(sorted(places.items())),
    )


def _top(listing: Listing) -> bytes:
    """The folder that paths begin at: the one of the outermost rules.

    So the place of the project in a repository without rules does not appear in generated files.
    """
    outermost, place = listing.scopes[0].folder, listing.place
    holds = not outermost or place == outermost or place.startswith(outermost + b"/")
    return outermost if holds else place


def _problems(
    sources: Sources, path: str, listing: Listing
) -> Iterator[tuple[tuple[bytes, int], Problem]]:
    """The rules that Nix cannot express, by file and line. Nix has only text in UTF-8."""
    for scope in listing.scopes:
        file = below(below(listing.repository, scope.folder), GITIGNORE)
        for rule in scope.rules:
            try:
                _ = rule.posix, scope.folder.decode(), listing.place.decode()
            except InexpressibleError as error:
                reason = str(error)
            except UnicodeDecodeError:
                reason = "the name of its folder is not UTF-8, and text in Nix has to be UTF-8"
            else:
                continue
            where = f"{sources.relative_to_project(file)}:{rule.line}"
            yield (
                (file, rule.line),
                Problem(
                    path,
                    f"the rule at {where} cannot be translated to Nix: {reason}",
                    where=where,
                    hint=_HINT,
                ),
            )


def _text(path: bytes) -> str:
    return os.fsdecode(path)
