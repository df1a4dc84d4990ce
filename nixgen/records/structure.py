"""Turn JSON values into attrs classes and back, by the types of the fields.

The types are str, int, float, bool, None, Any, ``X | Y``, Literal, Enum (by value), Path, datetime
(see `times`), ``tuple[X, ...]``, ``Mapping[str, X]``, attrs classes, and ``Annotated[X, Rule(…)]``
of these. The name of a member is that of the field in camel case, as ``narSize`` of ``nar_size``,
or that of `rules.named`. A member may be missing if its field has a default. No value is converted:
``"5"`` is not a number, and ``True`` is not 1.

All faults of a document are collected. Each has its place as in JSONPath (RFC 9535), such as
``$.closure[0].narSize``.

Each type is compiled to a function once, so long documents are read quickly.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import attrs

from nixgen.records.document import parse_json
from nixgen.records.rules import NAME, Rule
from nixgen.records.times import parse_time, time_text

__all__ = ["WRONG", "Faults", "Place", "parse_as", "place_text", "to_json", "value_of"]

#: A place in a document: the place around it, and the member's name or the position in the array.
Place: TypeAlias = tuple["Place", str | int] | None
Read: TypeAlias = Callable[[Any, Place, "Faults"], Any]

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_+-]*")
_EXCERPT = 60
#: The most faults in the message of `parse_as`.
_FIRST = 3


class _Wrong:
    """The type of `WRONG`."""


#: The result of a value with a fault. No result contains it.
WRONG: Final = _Wrong()


class Faults:
    """The faults of one document, in the order in which they were found.

    :param ignore_unknown: accept members that the classes do not have.
    """

    def __init__(self, *, ignore_unknown: bool = False) -> None:
        self.found: list[tuple[str, str]] = []
        self.ignore_unknown = ignore_unknown

    def add(self, place: Place, message: str) -> _Wrong:
        """Add a fault.

        :param place: the place of the value.
        :param message: the rest of a sentence that begins with the place.
        """
        self.found.append((place_text(place), message))
        return WRONG

    def expected(self, place: Place, what: str, value: Any) -> _Wrong:
        """Add the fault of a value that is something else than expected.

        :param place: the place of the value.
        :param what: the noun for the expected value.
        :param value: the value.
        """
        return self.add(place, f"expected {what}, found {_excerpt(value)}")


def value_of(kind: Any, value: Any, faults: Faults, place: Place = None) -> Any:
    """Read a JSON value as a type.

    :param kind: one of the types above.
    :param value: as `json.loads` returns it.
    :param faults: gets each fault.
    :param place: the place of the value in its document.
    :returns: the value, or `WRONG` if it has a fault.
    """
    return _reader(kind)(value, place, faults)


def parse_as(kind: Any, text: str | bytes) -> Any:
    """Read JSON that another program wrote. Members that the classes do not have are ignored.

    :param kind: one of the types above.
    :param text: the JSON.
    :raises ValueError: it is not JSON, or not of that type; the message names the first faults.
    """
    faults = Faults(ignore_unknown=True)
    value = value_of(kind, parse_json(text), faults)
    if faults.found:
        lines = [f"{place}: {message}" for place, message in faults.found[:_FIRST]]
        more = len(faults.found) - len(lines)
        raise ValueError("; ".join([*lines, *([f"and {more} more faults"] if more else [])]))
    return value


def to_json(value: Any) -> Any:
    """Turn an attrs instance, and everything in it, into values for `json.dumps`.

    :param value: an instance whose fields have the types above.
    """
    if attrs.has(type(value)):
        return {
            name: to_json(getattr(value, field.name))
            for field in attrs.fields(type(value))
            if (name := _json_name(field)) is not None
        }
    match value:
        case Mapping():
            return {key: to_json(item) for key, item in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
        case Enum():
            return value.value
        case Path():
            return str(value)
        case datetime():
            return time_text(value)
    return value


def place_text(place: Place) -> str:
    """A place as text, such as ``$.closure[0].narSize``. ``$`` is the document.

    :param place: the place.
    """
    parts: list[str] = []
    while place is not None:
        place, key = place
        plain = isinstance(key, str) and _PLAIN_NAME.fullmatch(key)
        parts.append(f".{key}" if plain else f"[{json.dumps(key, ensure_ascii=False)}]")
    return "".join(["$", *reversed(parts)])


def _excerpt(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "a value that is nested too deeply"
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"


def _json_name(field: attrs.Attribute[Any]) -> str | None:
    if NAME in field.metadata:
        name: str | None = field.metadata[NAME]
        return name
    first, *rest = field.name.split("_")
    return first + "".join(map(str.capitalize, rest))


@cache
def _reader(kind: Any) -> Read:
    """The function that reads values of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value, _place, _faults: value
    if origin is Annotated:
        return _ruled(
            _reader(arguments[0]), [each for each in arguments[1:] if isinstance(each, Rule)]
        )
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is Literal:
        return _choice({each: each for each in arguments})
    if origin is tuple and arguments[1:] == (...,):
        return _array(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
        return _object(arguments[1])
    if isinstance(kind, type) and attrs.has(kind):
        return _instance(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice({each.value: each for each in kind})
    if kind in _PLAIN:
        return _plain(*_PLAIN[kind])
    raise TypeError(f"no document holds values of the type {kind!r}")


#: Type of a field: what JSON must hold, the noun for it, and how it is made (None: as it is).
_PLAIN: Final[dict[Any, tuple[tuple[type, ...], str, Callable[[Any], Any] | None]]] = {
    str: ((str,), "a string", None),
    int: ((int,), "a whole number", None),
    float: ((int, float), "a number", float),
    bool: ((bool,), "true or false", None),
    type(None): ((type(None),), "null", None),
    Path: ((str,), "a path", Path),
    datetime: ((str,), "a time such as 2026-11-23T20:30:00Z", parse_time),
}


def _plain(held: tuple[type, ...], what: str, make: Callable[[Any], Any] | None) -> Read:
    def read(value: Any, place: Place, faults: Faults) -> Any:
        if type(value) not in held:  # exactly: a bool is an int to isinstance
            return faults.expected(place, what, value)
        try:
            return make(value) if make else value
        except ValueError:
            return faults.expected(place, what, value)

    return read


def _ruled(inner: Read, rules: list[Rule]) -> Read:
    def read(value: Any, place: Place, faults: Faults) -> Any:
        made = inner(value, place, faults)
        if made is not WRONG:
            for rule in rules:
                if not rule.holds(made):
                    return faults.expected(place, rule.what, value)
        return made

    return read


def _union(kinds: tuple[Any, ...]) -> Read:
    """A reader of the first alternative that fits, or else of the last, whose faults count."""
    nullable = type(None) in kinds
    readers = [_reader(kind) for kind in kinds if kind is not type(None)]

    def read(value: Any, place: Place, faults: Faults) -> Any:
        if nullable and value is None:
            return None
        for reader in readers[:-1]:
            made = reader(value, place, Faults(ignore_unknown=faults.ignore_unknown))
            if made is not WRONG:
                return made
        return readers[-1](value, place, faults)

    return read


def _choice(known: Mapping[Any, Any]) -> Read:
    what = "one of " + ", ".join(map(_excerpt, known))

    def read(value: Any, place: Place, faults: Faults) -> Any:
        for spelled, meant in known.items():
            if type(value) is type(spelled) and value == spelled:
                return meant
        return faults.expected(place, what, value)

    return read


def _array(kind: Any) -> Read:
    inner = _reader(kind)

    def read(value: Any, place: Place, faults: Faults) -> Any:
        if not isinstance(value, list):
            return faults.expected(place, "an array", value)
        made = tuple(inner(item, (place, index), faults) for index, item in enumerate(value))
        return WRONG if any(item is WRONG for item in made) else made

    return read


def _object(kind: Any) -> Read:
    inner = _reader(kind)

    def read(value: Any, place: Place, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.expected(place, "an object", value)
        made = {key: inner(item, (place, key), faults) for key, item in value.items()}
        return WRONG if any(item is WRONG for item in made.values()) else made

    return read


def _instance(kind: Any) -> Read:
    attrs.resolve_types(kind, include_extras=True)
    members = [
        (name, field.alias, field.default is attrs.NOTHING, _reader(field.type))
        for field in attrs.fields(kind)
        if (name := _json_name(field)) is not None
    ]
    known = {name for name, _, _, _ in members}

    def read(value: Any, place: Place, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.expected(place, "an object", value)
        arguments, whole = {}, True
        for name, alias, required, reader in members:
            if name in value:
                made = reader(value[name], (place, name), faults)
                whole &= made is not WRONG
                arguments[alias] = made
            elif required:
                faults.add((place, name), "is missing")
                whole = False
        if not faults.ignore_unknown:
            for name in value.keys() - known:
                faults.add((place, name), "is not a member that this version of nixgen knows")
                whole = False
        return kind(**arguments) if whole else WRONG

    return read
