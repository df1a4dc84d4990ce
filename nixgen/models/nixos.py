"""NixOS said directly: options by their path, properties such as `mk_force`, and modules written by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import attrs

from nixgen.models.core import Fault, Many, Model, as_tuple, checked, one_of, string
from nixgen.models.files import Secret, relative_inside
from nixgen.models.text import Interpolated, Text, textual

__all__ = [
    "NixModule",
    "Property",
    "as_options",
    "merged",
    "mk_after",
    "mk_before",
    "mk_default",
    "mk_force",
    "option_path",
    "option_values",
    "options_at",
]

_PART = re.compile(r"""(?P<bare>[A-Za-z_][A-Za-z0-9_'-]*)|"(?P<quoted>[^"\\$\0]+)\"""")
_INTEGERS = range(-(2**63), 2**63)
_KINDS = (
    "True, False, None, a number, text, a list or dict of these, or something with a store path"
)
_EXAMPLE = 'for example services.nginx.enable or networking.hosts."10.0.0.1"'


def option_path(text: str) -> tuple[str, ...] | None:
    """The names of an option's path as Nix writes it, ``boot.kernel.sysctl."vm.swappiness"``; None when it is none."""
    names: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        names.append(match["bare"] or match["quoted"])
        at = match.end()
        if at == len(text):
            return tuple(names)
        if text[at] != ".":
            return None
        at += 1
    return None


def _path_faults(value: Any) -> Iterator[Fault]:
    faulty = False
    for fault in string(value):
        faulty = True
        yield fault
    if not faulty and option_path(value) is None:
        hint = f"{_EXAMPLE}: names with dots between, in quotes when they are more than letters, digits, _ and -"
        yield "", f"{value!r} is not the path of an option", hint


def as_options(value: Any) -> Any:
    """Lists become tuples all the way down; anything else is left for the checks to name."""
    if isinstance(value, Mapping):
        return {key: as_options(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(map(as_options, value))
    return value


def _value_faults(value: Any) -> Iterator[Fault]:
    match value:
        case None | bool() | Property() | Interpolated():
            return
        case Text() | Secret() | str():
            yield from _TEXT(value)
        case int():
            if value not in _INTEGERS:
                yield "", f"{value} is outside of Nix's integers, -2^63 to 2^63-1", None
        case float():
            if not math.isfinite(value) or 0 < abs(value) < 2**-1022:
                yield "", f"{value} is a number that Nix cannot hold", None
        case tuple():
            for index, item in enumerate(value):
                for suffix, message, hint in _value_faults(item):
                    yield f"[{index}]{suffix}", message, hint
        case dict():
            for key, item in value.items():
                for suffix, message, hint in (*string(key), *_value_faults(item)):
                    yield f"[{key!r}]{suffix}", message, hint
        case _:
            yield "", f"must be {_KINDS}, not {type(value).__name__}", None


_TEXT = textual(Secret)


def option_values(value: Any) -> Iterator[Fault]:
    """The check of ``options={…}``: paths of the right form, once each, and values that Nix can hold."""
    if not isinstance(value, dict):
        yield "", f"must be a dict from paths to values, not {type(value).__name__}", _EXAMPLE
        return
    sound = True
    for key, item in value.items():
        for suffix, message, hint in (*_path_faults(key), *_value_faults(item)):
            sound = False
            yield f"[{key!r}]{suffix}", message, hint
    if sound:
        yield from _collisions(value)


def _collisions(options: Mapping[str, Any]) -> Iterator[Fault]:
    """An option can be said in two ways, and inside of a value that is no dict there is none."""
    owners: dict[tuple[str, ...], str] = {}
    for key, item in options.items():
        for path, _ in _leaves(option_path(key) or (), item):
            other = owners.setdefault(path, key)
            if other != key:
                yield f"[{key!r}]", f"defines {'.'.join(path)}, as [{other!r}] does", "say it once"
    for path, key in owners.items():
        for length in range(1, len(path)):
            outer = owners.get(path[:length])
            if outer not in (None, key):
                yield (
                    f"[{key!r}]",
                    f"is inside of [{outer!r}], which is no dict",
                    "give that one as a dict, or leave it out",
                )


def options_at(options: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Path and value of each option; the values are as they were given, dicts included."""
    for key, value in options.items():
        yield option_path(key) or (), value


def merged(options: Iterable[tuple[tuple[str, ...], Any]]) -> dict[tuple[str, ...], Any]:
    """Options with those that are inside of another one, which is a dict, put into it; of one option said twice, the later counts."""
    result: dict[tuple[str, ...], Any] = {}
    for path, value in sorted(options, key=lambda option: len(option[0])):
        outer = next((path[:n] for n in range(1, len(path) + 1) if path[:n] in result), None)
        if outer is None:
            result[path] = value
            continue
        result[outer] = _union(result[outer], _nested(path[len(outer) :], value))
    return result


def _nested(path: tuple[str, ...], value: Any) -> Any:
    return {path[0]: _nested(path[1:], value)} if path else value


def _union(one: Any, other: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {
        **one,
        **{key: _union(one[key], item) if key in one else item for key, item in other.items()},
    }


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves((*path, key), item)
    else:
        yield path, value


PropertyFunction = Literal["mkAfter", "mkBefore", "mkDefault", "mkForce"]


@attrs.frozen(eq=False)
class Property(Model):
    """A value with NixOS's word on how it counts beside other definitions of the same option.

    :param function: of ``lib``: ``mkDefault``, ``mkForce``, ``mkBefore`` or ``mkAfter``.
    """

    function: PropertyFunction = attrs.field(metadata=checked(one_of(PropertyFunction)))
    value: Any = attrs.field(converter=as_options, metadata=checked(_value_faults))


def mk_default(value: Any) -> Property:
    """A value that gives way to any other definition."""
    return Property("mkDefault", value)


def mk_force(value: Any) -> Property:
    """A value that replaces all other definitions."""
    return Property("mkForce", value)


def mk_before(value: Any) -> Property:
    """A list that comes before those of other definitions; likewise text of many lines."""
    return Property("mkBefore", value)


def mk_after(value: Any) -> Property:
    """A list that comes after those of other definitions; likewise text of many lines."""
    return Property("mkAfter", value)


@attrs.frozen(eq=False)
class NixModule(Model):
    """A NixOS module, or a kubenix module of an application, that is written by hand.

    :param path: of its file or folder, relative to the folder of infra.py; ``..`` is allowed.
    """

    path: str = attrs.field(metadata=checked(relative_inside))


def as_modules(value: Many[NixModule]) -> tuple[NixModule, ...]:
    return as_tuple(value)
