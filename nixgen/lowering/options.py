"""NixOS options that a model names by path, as definitions in a module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope
from nixgen.models import Property, Text, mk_force
from nixgen.models.nixos import merged
from nixgen.syntax import Expr

__all__ = ["Definitions", "definitions", "forced", "module_body", "value"]

Path = tuple[str, ...]
#: Path of an option → what it is defined as.
Definitions = Mapping[Path, Expr]


def definitions(scope: Scope, options: Iterable[tuple[Path, Any]]) -> Definitions:
    """Options as they were given, those inside of others put into them."""
    return {path: value(scope, content) for path, content in merged(options).items()}


def forced(scope: Scope, options: Iterable[tuple[Path, Any]]) -> Definitions:
    """The same, with single values in ``lib.mkForce``, unless they are properties already."""
    return definitions(
        scope,
        (
            (path, content if isinstance(content, (Property, tuple, dict)) else mk_force(content))
            for path, content in options
        ),
    )


def value(scope: Scope, content: Any) -> Expr:
    """A value of an option; a package is the package itself there, and not its path."""
    match content:
        case None | bool() | int() | float() | str():
            return nix.quote(content)
        case Property():
            return nix.Call(scope.lib(content.function), (value(scope, content.value),))
        case Text():
            return scope.word(content)
        case tuple():
            return nix.List(tuple(value(scope, item) for item in content))
        case dict():
            return nix.AttrSet({name: value(scope, item) for name, item in content.items()})
        case _:
            return scope.reference(content)


def module_body(own: Definitions, given: Definitions, imports: Iterable[Expr] = ()) -> Expr:
    """A module's set of definitions: nixgen's own, and the user's, which the module system has to merge where both
    speak of the same option or of one inside the other.
    """
    beside = {path: item for path, item in given.items() if not _overlaps(path, own)}
    imported = [*imports]
    if len(beside) < len(given):
        within = {path: item for path, item in given.items() if path not in beside}
        imported.append(nix.AttrSet(within))
    bindings: dict[Path, Expr] = {**own, **beside}
    if imported:
        bindings["imports",] = nix.List(tuple(imported))
    return nix.AttrSet(bindings)


def _overlaps(path: Path, own: Definitions) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in own)
