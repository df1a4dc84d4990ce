"""The bindings of a set or a ``let``, with each attribute defined once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
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
    """The base of all Nix expressions."""

    __slots__ = ()


def identifier(_node: object, _attribute: object, value: str) -> None:
    """Refuse a name that no variable can have. For fields of attrs classes.

    :raises UnprintableError: The name is no identifier, or a keyword.
    """
    if not is_identifier(value):
        raise UnprintableError(
            f"{value!r} is not a Nix identifier",
            hint="variables are letters, digits, _, - and ', and no keyword",
        )


def to_path(names: Key) -> tuple[str, ...]:
    """Convert a name or several names to an attribute path.

    :param names: One name, or the names of a path.
    :raises UnprintableError: There is no name, or Nix strings cannot hold one of them.
    """
    path = (names,) if isinstance(names, str) else tuple(names)
    if not path:
        raise UnprintableError(
            "an attribute path needs at least one name", hint='write ("name",) or "name"'
        )
    attr_path(path)  # refuses names that Nix strings cannot hold
    return path


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


@frozen
class Inherit:
    """``inherit a b;`` or ``inherit (source) a b;``, among the bindings of a set or a ``let``.

    :param names: Names to inherit; they are kept in alphabetical order.
    :param source: Expression in parentheses. None (the default) inherits from the surrounding
        scope.
    """

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
    """The bindings of a set or a ``let``.

    :param inherits: The ``inherit`` statements, which are printed first.
    :param pairs: Printed attribute paths in alphabetical order, with their values.
    """

    inherits: tuple[Inherit, ...] = ()
    pairs: tuple[tuple[str, Expr], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pairs or self.inherits)


def to_bindings(
    given: Bindings | Mapping[Any, Expr] | Iterable[Inherit | tuple[Key, Expr]],
) -> Bindings:
    """Order bindings, and check that each attribute is defined once.

    :param given: A mapping, or pairs of key and value with `Inherit` among them.
    :raises UnprintableError: An attribute is defined twice, or one lies inside another one.
    """
    if isinstance(given, Bindings):
        return given
    if type(given) is dict or isinstance(given, Mapping):
        texts, in_order = _order(tuple(given), ())
        return Bindings((), tuple(zip(texts, in_order(tuple(given.values())), strict=False)))
    items = list(given)
    inherits = tuple(item for item in items if isinstance(item, Inherit))
    pairs = [item for item in items if not isinstance(item, Inherit)]
    inherited = tuple(name for inherit in inherits for name in inherit.names)
    texts, in_order = _order(tuple(key for key, _ in pairs), inherited)
    values = tuple(value for _, value in pairs)
    return Bindings(inherits, tuple(zip(texts, in_order(values), strict=False)))


@lru_cache(maxsize=1024)
def _order(
    keys: tuple[Key, ...], inherited: tuple[str, ...]
) -> tuple[tuple[str, ...], Callable[[tuple[Expr, ...]], tuple[Expr, ...]]]:
    """Order keys by their text. The result is cached, because the same few sets of keys fill
    thousands of files.

    :param keys: Keys of the bindings.
    :param inherited: Names of the ``inherit`` statements.
    :return: The texts in order, and a function that brings the values of the keys in that order.
    """
    places: dict[str, int] = {}
    nested: list[tuple[str, ...]] = []
    for place, key in enumerate(keys):
        path = to_path(key)
        text = attr_path(path)
        if text in places:
            raise defined_twice(text)
        places[text] = place
        if len(path) > 1:
            nested.append(path)
    taken = set(places)
    for name in map(attr_name, inherited):
        if name in taken:
            raise defined_twice(name)
        taken.add(name)
    for path in nested:
        for length in range(1, len(path)):
            outer = attr_path(path[:length])
            if outer in taken:
                raise UnprintableError(
                    f"{outer} and {attr_path(path)} are both defined",
                    hint=f"put the latter into the value of {outer}",
                )
    texts = tuple(sorted(places))
    order = [places[text] for text in texts]
    return texts, itemgetter(*order) if len(order) > 1 else tuple


def defined_twice(name: str) -> UnprintableError:
    """The error for an attribute with two definitions.

    :param name: Printed name of the attribute.
    """
    return UnprintableError(
        f"the attribute {name} is defined twice", hint="keep one of the two definitions"
    )
