"""Bindings: what stands between the braces of a set or after ``let``, every attribute once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from attrs import field, frozen

from nixgen.errors import UnprintableError
from nixgen.syntax.text import attr_name, attr_path, is_identifier

__all__ = [
    "Bindings",
    "Expr",
    "Inherit",
    "defined_twice",
    "identifier",
    "to_bindings",
    "to_path",
]

Key = str | tuple[str, ...]


class Expr:
    """Any Nix expression."""

    __slots__ = ()


def identifier(_node: object, _attribute: object, value: str) -> None:
    if not is_identifier(value):
        raise UnprintableError(
            f"{value!r} is not a Nix identifier",
            hint="variables are letters, digits, _, - and ', and no keyword",
        )


def to_path(names: Key) -> tuple[str, ...]:
    path = (names,) if isinstance(names, str) else tuple(names)
    if not path:
        raise UnprintableError(
            "an attribute path needs at least one name", hint='write ("name",) or "name"'
        )
    attr_path(path)  # refuses what no name can hold
    return path


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


@frozen
class Inherit:
    """``inherit a b;`` or ``inherit (source) a b;``, among the bindings of a set or a ``let``."""

    names: tuple[str, ...] = field(converter=_names)
    source: Expr | None = None

    @names.validator
    def _check(self, _attribute: object, names: tuple[str, ...]) -> None:
        for name in names:
            if self.source is None:
                identifier(self, None, name)
            else:
                attr_name(name)


@frozen
class Bindings:
    """What stands between the braces of a set, or after ``let``."""

    inherits: tuple[Inherit, ...] = ()
    pairs: tuple[tuple[str, Expr], ...] = ()
    """Attribute paths as they are printed, in that order, with their values."""

    def __bool__(self) -> bool:
        return bool(self.pairs or self.inherits)


_ONLY_NAMES = frozenset({str})


def to_bindings(
    given: Bindings | Mapping[Any, Expr] | Iterable[Inherit | tuple[Key, Expr]],
) -> Bindings:
    """Order the bindings and check that every attribute is defined once."""
    if isinstance(given, Bindings):
        return given
    if type(given) is dict and _ONLY_NAMES.issuperset(map(type, given)):
        # the usual case, made fast: names of a dict differ, and so do their spellings
        named = zip(map(attr_name, given), given.values(), strict=True)
        return Bindings((), tuple(sorted(named, key=itemgetter(0))))
    inherits: list[Inherit] = []
    values: dict[str, Expr] = {}
    nested: list[tuple[str, ...]] = []
    for item in given.items() if type(given) is dict or isinstance(given, Mapping) else given:
        if isinstance(item, Inherit):
            inherits.append(item)
            continue
        key, value = item
        if isinstance(key, str):
            text = attr_name(key)
        else:
            path = to_path(key)
            text = attr_path(path)
            if len(path) > 1:
                nested.append(path)
        if text in values:
            raise defined_twice(text)
        values[text] = value
    taken = _inherited(inherits, values) if inherits else values.keys()
    for path in nested:
        for length in range(1, len(path)):
            outer = attr_path(path[:length])
            if outer in taken:
                raise UnprintableError(
                    f"{outer} and {attr_path(path)} are both defined",
                    hint=f"put the latter into the value of {outer}",
                )
    return Bindings(tuple(inherits), tuple(sorted(values.items(), key=itemgetter(0))))


def _inherited(inherits: Iterable[Inherit], values: Mapping[str, Expr]) -> set[str]:
    taken = set(values)
    for inherit in inherits:
        for name in map(attr_name, inherit.names):
            if name in taken:
                raise defined_twice(name)
            taken.add(name)
    return taken


def defined_twice(name: str) -> UnprintableError:
    return UnprintableError(
        f"the attribute {name} is defined twice", hint="keep one of the two definitions"
    )
