"""Sources, and the rules by which some of their files are not copied, for ``lib/lib/source.nix``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nixgen import syntax as nix
from nixgen.gitignore import IgnoreTable, Rule
from nixgen.models import Source
from nixgen.syntax import Expr

__all__ = ["IGNORED", "ignored", "rules"]

#: The file that `ignored` is.
IGNORED = "ignored.nix"


def ignored(sources: Iterable[Source], table: IgnoreTable) -> Expr:
    """Path of each source → what .gitignore files say of it: ``{ place, rules }``, as source.nix takes it.

    :param sources: those for which .gitignore files count.
    """
    entries: dict[str, Expr] = {}
    for source in sources:
        counted: dict[str, Expr] = {}
        if source.relative_path in table.places:
            top, place = table.places[source.relative_path]
            counted["rules"] = nix.Select(nix.Var("rules"), (top,))
            if place:
                counted["place"] = nix.Str(place)
        entries[source.relative_path] = nix.AttrSet(counted)
    body = nix.AttrSet(entries)
    if not table.rules:
        return body
    return nix.Let({"rules": nix.AttrSet(_by_folder(table.rules))}, body)


def _by_folder(tables: Mapping[str, Mapping[str, tuple[Rule, ...]]]) -> dict[str, Expr]:
    return {
        top: nix.AttrSet({folder: rules(found) for folder, found in folders.items()})
        for top, folders in tables.items()
    }


def rules(found: Iterable[Rule]) -> Expr:
    """In their order, for the last decides."""
    return nix.List(tuple(map(_rule, found)))


def _rule(rule: Rule) -> Expr:
    fields: dict[str, Expr] = {"path" if rule.whole_path else "name": nix.Str(rule.posix)}
    if rule.negated:
        fields["negated"] = nix.Bool(True)
    return nix.AttrSet(fields)
