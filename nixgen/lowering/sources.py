"""The rules by which files of sources are left out, in the form that ``lib/lib/source.nix`` reads."""

from __future__ import annotations

from collections.abc import Iterable

from nixgen import syntax as nix
from nixgen.gitignore import IgnoreTable, Rule
from nixgen.models import Source
from nixgen.syntax import Expr

__all__ = ["IGNORED", "ignored", "rules"]

#: Path of the file that `ignored` makes.
IGNORED = "ignored.nix"


def ignored(sources: Iterable[Source], table: IgnoreTable) -> Expr:
    """A set with the rules of .gitignore files for each source, by its path: ``{ place, rules }``.

    :param sources: Sources for which .gitignore files count.
    :param table: Rules of the .gitignore files of the project.
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
    tables = {
        top: {folder: rules(found) for folder, found in folders.items()}
        for top, folders in table.rules.items()
    }
    return nix.Let({"rules": nix.quote(tables)}, body)


def rules(given: Iterable[Rule]) -> Expr:
    """A list of rules. The order is kept, because the last rule that matches decides.

    :param given: The rules, in order.
    """
    return nix.List(map(_rule, given))


def _rule(rule: Rule) -> Expr:
    fields: dict[str, Expr] = {"path" if rule.whole_path else "name": nix.Str(rule.posix)}
    if rule.negated:
        fields["negated"] = nix.Bool(True)
    return nix.AttrSet(fields)
