"""NixOS itself: options by their path, properties such as `mk_force`, and modules written by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from nixgen.models.checks import every, string
from nixgen.models.core import Fault, Model, excerpt
from nixgen.models.fields import choice, field, model
from nixgen.models.files import RelativePath, Secret, textual_value
from nixgen.models.lines import PlainText
from nixgen.models.optionlines import option_line_faults
from nixgen.models.text import Interpolated, Text

__all__ = [
    "NixModule",
    "mk_after",
    "mk_before",
    "mk_default",
    "mk_force",
]

_PART = re.compile(r"""(?P<bare>[A-Za-z_][A-Za-z0-9_'-]*)|"(?P<quoted>[^"\\$\0]+)\"""")
_INTEGERS = range(-(2**63), 2**63)
_KINDS = (
    "True, False, None, a number, text, a list or dict of these, or something with a store path"
)
_EXAMPLE = 'for example services.nginx.enable or networking.hosts."10.0.0.1"'


def option_path(text: str) -> tuple[str, ...] | None:
    """Split the path of an option, as Nix writes it, into its names. None when the text is not such
    a path.

    :param text: Path of an option, such as ``boot.kernel.sysctl."vm.swappiness"``.
    """
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


def _path_form(value: str) -> Iterator[Fault]:
    if option_path(value) is None:
        hint = f"{_EXAMPLE}: names with dots between, in quotes when they are more than letters, digits, _ and -"
        yield "", f"{value!r} is not the path of an option", hint


_path_faults = every(string, _path_form)


def as_options(value: Any) -> Any:
    """Turn lists into tuples at every depth. Leave any other value for the checks to report."""
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
            yield from textual_value(value)
        case int():
            if value not in _INTEGERS:
                yield "", f"{excerpt(value)} is outside of Nix's integers, -2^63 to 2^63-1", None
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


def option_values(value: Any) -> Iterator[Fault]:
    """Check ``options={…}``: each path has the right form and occurs once, and Nix can hold each
    value.
    """
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
        for key, item in value.items():
            for suffix, message, hint in option_line_faults(option_path(key) or (), item):
                yield f"[{key!r}]{suffix}", message, hint


def _collisions(options: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for an option that is defined twice, or that lies inside a value that is not a
    dict.
    """
    owners: dict[tuple[str, ...], str] = {}
    for key, item in options.items():
        for path, _ in _leaves(option_path(key) or (), item):
            other = owners.setdefault(path, key)
            if other != key:
                yield (
                    f"[{key!r}]",
                    f"defines {'.'.join(path)}, as [{other!r}] does",
                    "define it once",
                )
    for path, key in owners.items():
        for length in range(1, len(path)):
            outer = owners.get(path[:length])
            if outer not in (None, key):
                yield (
                    f"[{key!r}]",
                    f"lies inside [{outer!r}], whose value is not a dict",
                    "give the outer option as a dict, or leave one of them out",
                )


def options_at(options: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of each option. Values are unchanged, dicts included.

    :param options: Checked options of a model, by the path that the user wrote.
    """
    for key, value in options.items():
        yield option_path(key) or (), value


def merged(options: Iterable[tuple[tuple[str, ...], Any]]) -> dict[tuple[str, ...], Any]:
    """Merge definitions of options, in their order, so that no option is inside another one.

    Dicts are joined, also when one of them is written with a longer path. Of two other values for
    one option the later counts, however long the paths are that lead to it.

    :param options: Path and value of each definition.
    """
    result: dict[tuple[str, ...], Any] = {}
    outer_paths: set[tuple[str, ...]] = set()
    for path, value in options:
        outer = next((path[:n] for n in range(1, len(path)) if path[:n] in result), None)
        if outer is not None:
            result[outer] = _union(result[outer], _nested(path[len(outer) :], value))
            continue
        if path in outer_paths:
            for inner in [each for each in result if each[: len(path)] == path]:
                nested = _nested(inner[len(path) :], result.pop(inner))
                result[path] = _union(result.get(path), nested)
        result[path] = _union(result.get(path), value)
        outer_paths.update(path[:n] for n in range(1, len(path)))
    return result


def _nested(path: tuple[str, ...], value: Any) -> Any:
    return {path[0]: _nested(path[1:], value)} if path else value


def _union(one: Any, other: Any) -> Any:
    """Join two dicts at every depth. Of two other values, return the second."""
    if isinstance(one, Property) and isinstance(one.value, dict) and isinstance(other, dict):
        return Property(one.function, _union(one.value, other))
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


@model
class Property(Model):
    """A value with a NixOS property, which decides how the value counts beside other definitions of
    the same option.

    :param function: Function of ``lib`` that makes the property: ``mkDefault``, ``mkForce``,
        ``mkBefore`` or ``mkAfter``.
    :param value: Value of the option.
    """

    function: PropertyFunction = choice(PropertyFunction, kw_only=False)
    value: Any = field(_value_faults, kw_only=False, convert=as_options, lines=(PlainText,))


def mk_default(value: Any) -> Property:
    """Make a value that gives way to any other definition of the option.

    :param value: Value of the option.
    """
    return Property("mkDefault", value)


def mk_force(value: Any) -> Property:
    """Make a value that replaces all other definitions of the option.

    :param value: Value of the option.
    """
    return Property("mkForce", value)


def mk_before(value: Any) -> Property:
    """Make a list or text that comes before those of other definitions of the option.

    :param value: List, or text of many lines.
    """
    return Property("mkBefore", value)


def mk_after(value: Any) -> Property:
    """Make a list or text that comes after those of other definitions of the option.

    :param value: List, or text of many lines.
    """
    return Property("mkAfter", value)


@model
class NixModule(Model):
    """A module written by hand: a NixOS module of a machine, or a kubenix module of an application.

    :param path: Path of the module's file or folder, relative to the folder of infra.py; ``..`` is
        allowed.
    """

    path: str = field(RelativePath, kw_only=False)
