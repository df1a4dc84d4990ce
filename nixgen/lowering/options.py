"""NixOS options that a model sets by path, as definitions in a module."""

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
#: Path of an option → its definition.
Definitions = Mapping[Path, Expr]


def definitions(scope: Scope, options: Iterable[tuple[Path, Any]]) -> Definitions:
    """Define options. An option inside another one is merged into it.

    :param scope: Scope of the file.
    :param options: Path and value of each option.
    """
    return {path: value(scope, content) for path, content in merged(options).items()}


def forced(scope: Scope, options: Iterable[tuple[Path, Any]]) -> Definitions:
    """Define options in a way that overrides other definitions: single values stand in
    ``lib.mkForce``. A value that is a property already stays as it is, and lists and sets merge.

    :param scope: Scope of the file.
    :param options: Path and value of each option.
    """
    return definitions(
        scope,
        (
            (path, content if isinstance(content, (Property, tuple, dict)) else mk_force(content))
            for path, content in options
        ),
    )


def value(scope: Scope, content: Any) -> Expr:
    """Convert the value of an option. A package stands for the package itself, not for its path.

    :param scope: Scope of the file.
    :param content: Value as the model holds it.
    """
    match content:
        case None | bool() | int() | float() | str():
            return nix.quote(content)
        case Property():
            return nix.Call(scope.lib(content.function), (value(scope, content.value),))
        case Text():
            return scope.word(content)
        case tuple():
            return nix.List(value(scope, item) for item in content)
        case dict():
            return nix.AttrSet({name: value(scope, item) for name, item in content.items()})
        case _:
            return scope.reference(content)


def module_body(own: Definitions, given: Definitions, imports: Iterable[Expr] = ()) -> Expr:
    """The set of a module's definitions.

    Where nixgen and the user define the same option, or one inside the other, the user's
    definitions become an import, and the module system merges the two.

    :param own: Definitions that nixgen makes.
    :param given: Definitions that the user gave.
    :param imports: Further modules to import.
    """
    beside = {path: item for path, item in given.items() if not _overlaps(path, own)}
    imported = [*imports]
    if len(beside) < len(given):
        within = {path: item for path, item in given.items() if path not in beside}
        imported.append(nix.AttrSet(within))
    bindings: dict[Path, Expr] = {**own, **beside}
    if imported:
        bindings["imports",] = nix.List(imported)
    return nix.AttrSet(bindings)


def _overlaps(path: Path, own: Definitions) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in own)
