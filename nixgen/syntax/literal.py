"""Conversion of Python values, of the types that JSON has, to Nix literals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nixgen.errors import UnprintableError
from nixgen.syntax.nodes import AttrSet, Bool, Expr, Float, Int, List, Null, Str
from nixgen.syntax.text import attr_name

__all__ = ["quote"]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def quote(value: Any) -> Expr:
    """Convert a value to a Nix literal.

    :param value: None, a bool, int, float or str, or a list, tuple or mapping of these. Expressions
        may stand among the values, and are kept.
    :raises UnprintableError: Nix has no literal for a value: NUL, lone surrogates, inf, nan,
        subnormal floats, integers beyond 64 bits, keys that are not strings, other types. The
        message names the place of the value.
    """
    path: list[str | int] = []
    try:
        return _quote(value, path)
    except UnprintableError as error:
        if not path:
            raise
        message = f"{_place(path)}: {error.message}"
        raise UnprintableError(message, hint=error.hint) from None
    except RecursionError:
        raise UnprintableError(
            "the value is nested too deeply, or contains itself", hint="flatten it"
        ) from None


def _place(path: list[str | int]) -> str:
    """Write the place of a value, ``value.services[3]["a b"]``.

    :param path: Keys and indices, the innermost first.
    """
    steps = []
    for step in reversed(path):
        plain = isinstance(step, str) and _PLAIN_KEY.fullmatch(step)
        steps.append(f".{step}" if plain else f"[{step!a}]")
    return "value" + "".join(steps)


#: Values without parts, of exactly these types.
_PLAIN: dict[type, Callable[[Any], Expr]] = {
    type(None): lambda _: Null(),
    bool: Bool,
    int: Int,
    float: Float,
    str: Str,
}


def _quote(value: Any, path: list[str | int]) -> Expr:
    make = _PLAIN.get(type(value))
    if make is not None:
        return make(value)
    match value:
        case list() | tuple():
            return _list(value, path)
        case dict() | Mapping():  # such as mappingproxy
            return _mapping(value, path)
        case Expr():
            return value
        # subclasses, such as the members of a StrEnum
        case str():
            return Str(str.__str__(value))
        case int():
            return Int(int(value))
        case float():
            return Float(float(value))
    raise UnprintableError(
        f"{type(value).__name__} has no Nix literal",
        hint="use None, bool, int, float, str, lists and mappings of those",
    )


def _list(value: list[Any] | tuple[Any, ...], path: list[str | int]) -> Expr:
    items = []
    index = 0
    try:
        for index, item in enumerate(value):  # noqa: B007 (read when an item is refused)
            items.append(_quote(item, path))
    except UnprintableError:
        path.append(index)
        raise
    return List(items)


def _mapping(value: Mapping[Any, Any], path: list[str | int]) -> Expr:
    bindings = []
    key = None
    try:
        for key, item in value.items():
            if not isinstance(key, str):
                _refuse_key(key)
            attr_name(key)  # refuses the key here, where its place is known
            bindings.append((str.__str__(key), _quote(item, path)))
    except UnprintableError:
        path.append(key if isinstance(key, str) else repr(key))
        raise
    return AttrSet(bindings)


def _refuse_key(key: object) -> None:
    raise UnprintableError(
        f"the key {key!r} is a {type(key).__name__}; attribute names are strings",
        hint="convert the key with str()",
    )
