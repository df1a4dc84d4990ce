"""Classify the values of models by the kind of Nix value they become."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from nixgen.models import ConfigFile, Interpolated, Package, Property, Source, Text

__all__ = ["Kind", "bare", "kind", "starts_with_slash", "value_text"]


class Kind(enum.Enum):
    """The kind of the Nix value that a Python value is printed as."""

    NULL = enum.auto()
    BOOLEAN = enum.auto()
    INTEGER = enum.auto()
    FLOAT = enum.auto()
    STRING = enum.auto()
    #: a string with references, whose text is known only to Nix
    TEXT = enum.auto()
    #: the path of something at the top of the store
    STORE_PATH = enum.auto()
    DERIVATION = enum.auto()
    LIST = enum.auto()
    SET = enum.auto()
    #: any other value, whose kind is unknown
    OTHER = enum.auto()


#: In order: a bool is an int to isinstance.
_KINDS: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (type(None), Kind.NULL),
    (bool, Kind.BOOLEAN),
    (int, Kind.INTEGER),
    (float, Kind.FLOAT),
    (str, Kind.STRING),
    (Text, Kind.TEXT),
    (Source, Kind.STORE_PATH),
    ((Package, ConfigFile), Kind.DERIVATION),
    ((list, tuple), Kind.LIST),
    (Mapping, Kind.SET),
)


def kind(value: Any) -> Kind:
    """The kind of a value.

    :param value: A value of a model.
    """
    here = next((each for types, each in _KINDS if isinstance(value, types)), Kind.OTHER)
    # a set with _type is a marker of the module system's own
    return Kind.OTHER if here is Kind.SET and "_type" in value else here


def bare(value: Any) -> Any:
    """A value without the properties around it, such as `mk_force`, which no type looks at.

    :param value: A value of a model.
    """
    while isinstance(value, Property):
        value = value.value
    return value


def starts_with_slash(value: Any) -> bool:
    """Whether a string or `Text` begins like an absolute path. Every reference does.

    :param value: A value of a model.
    """
    if isinstance(value, Text):
        first = value.parts[0] if value.parts else ""
        return isinstance(first, Interpolated) or first.startswith("/")
    return isinstance(value, str) and value.startswith("/")


def value_text(value: Any) -> str:
    """A value with its type, short enough for a message, such as ``str 'yes'``.

    :param value: A value of a model.
    """
    match value:
        case None | bool():
            return str(value)
        case Package() | Source() | ConfigFile():
            name = value.path if isinstance(value, Source) else value.name
            return f"{type(value).__name__}({name!r})"
        case Text():
            return "text with references"
    text = repr(_as_written(value))
    name = "list" if isinstance(value, tuple) else type(value).__name__
    return f"{name} {text if len(text) <= 60 else text[:57] + '…'}"


def _as_written(value: Any) -> Any:
    """A value with lists for tuples, since models store the lists of a user as tuples."""
    match value:
        case tuple():
            return [_as_written(item) for item in value]
        case dict():
            return {name: _as_written(item) for name, item in value.items()}
        case _:
            return value
