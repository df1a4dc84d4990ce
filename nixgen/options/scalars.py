"""Check values without parts against types: True, False, or None when it is not certain.

Each function takes a value, its kind, and the wanted type.
"""

from __future__ import annotations

from typing import Any

from nixgen.options import posix
from nixgen.options.types import Enum, Number, Path, String
from nixgen.options.values import Kind, bare, kind, starts_with_slash

__all__ = ["has_null", "is_member", "is_number", "is_package", "is_path", "is_string"]


def is_number(value: Any, here: Kind, wanted: Number) -> bool:
    """Decide if a value is a number in the wanted range."""
    allowed = {Kind.INTEGER: wanted.integers, Kind.FLOAT: wanted.floats}
    return (
        allowed.get(here, False)
        and (wanted.low is None or value >= wanted.low)
        and (wanted.high is None or value <= wanted.high)
        and not (wanted.nonzero and value == 0)
    )


def is_string(value: Any, here: Kind, wanted: String) -> bool | None:
    """Decide if a value is a string that the wanted pattern matches."""
    if here is Kind.STRING:
        if wanted.vague:
            return None
        return wanted.pattern is None or posix.matches(wanted.pattern, value)
    if here is Kind.TEXT:
        return None if wanted.vague or wanted.pattern is not None else True
    return None if here is Kind.STORE_PATH else False  # it may be a path in Nix, or text


def is_member(value: Any, here: Kind, wanted: Enum) -> bool | None:
    """Decide if a value is one of the wanted values."""
    for member in wanted.values:
        if member == value and isinstance(member, bool) == isinstance(value, bool):
            return True
    if not wanted.values and not wanted.unsaid:
        return False
    unsaid = {
        Kind.BOOLEAN: "bool",
        Kind.FLOAT: "float",
        Kind.NULL: "null",
        Kind.LIST: "list",
        Kind.SET: "set",
    }
    if unsaid.get(here) in wanted.unsaid or here in {Kind.TEXT, Kind.STORE_PATH, Kind.DERIVATION}:
        return None
    return False


def is_path(value: Any, here: Kind, wanted: Path) -> bool | None:
    """Decide if a value is a path of the wanted kind."""
    if here in {Kind.STRING, Kind.TEXT}:
        slash = starts_with_slash(value)
        if wanted.absolute is not None and wanted.absolute != slash:
            return False
        return True if wanted.in_store is None else None
    if here in {Kind.DERIVATION, Kind.STORE_PATH}:
        return None if wanted.absolute is False or wanted.in_store is False else True
    return _coerces(value, here)


def is_package(value: Any, here: Kind) -> bool | None:
    """Decide if a value is a package."""
    if here in {Kind.DERIVATION, Kind.STORE_PATH}:
        return True
    if here is Kind.TEXT:  # the path of a file in a package is no package
        return len(value.parts) == 1 and not isinstance(value.parts[0], str)
    if here is Kind.STRING:
        return None if starts_with_slash(value) else False
    return _coerces(value, here)


def _coerces(value: Any, here: Kind) -> bool | None:
    """Decide if Nix may convert a list to a path, as trees before 23.05 do, or a set."""
    if here is Kind.LIST and value:
        first = bare(value[0])
        return None if starts_with_slash(first) or kind(first) is Kind.DERIVATION else False
    if here is Kind.SET and {"outPath", "__toString", "type"} & set(value):
        return None
    return False


def has_null(value: Any) -> bool:
    """Decide if a value is null or holds a null.

    :param value: Value with all its parts.
    """
    value = bare(value)
    match kind(value):
        case Kind.NULL:
            return True
        case Kind.LIST:
            return any(map(has_null, value))
        case Kind.SET:
            return any(map(has_null, value.values()))
        case _:
            return False
