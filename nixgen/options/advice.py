"""Suggest a replacement for a value of the wrong type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nixgen.errors import closest_word
from nixgen.models import ConfigFile, Package, Source
from nixgen.options import posix
from nixgen.options import types as t
from nixgen.options.fitting import Verdict, answer
from nixgen.options.values import Kind, kind, starts_with_slash

__all__ = ["advice", "example"]

_NUMERAL = re.compile(r"-?\d{1,18}")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_SPELT = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
#: tried on patterns, from the likeliest to be understood
_WORDS = ("example", "1", "0", "a", "00:00", "2026-01-01", "example.service", "http://example.org")


def advice(value: Any, wanted: t.Type) -> str | None:
    """``write 5432``, ``did you mean 'debug'?`` or ``for example [True]``; None when nothing comes
    to mind.
    """
    for written, converted in _conversions(value):
        if answer(converted, wanted).verdict is Verdict.FITS:
            return f"write {written}"
    if kind(value) is Kind.STRING and _takes(wanted, t.Path) and not starts_with_slash(value):
        return f"write an absolute path, or Source({value!r}) for a file of the project"
    if kind(value) is Kind.STRING and _ATTRIBUTE.fullmatch(value) and _takes(wanted, t.Package):
        package = f"Package({value!r})"
        listed = all(isinstance(found, t.ListOf) for found in wanted.alternatives)
        return f"write [{package}]" if listed else f"write {package}"
    if kind(value) is Kind.DERIVATION and _takes(wanted, t.String):
        return 'a path in it is written with /, as in Package("nginx") / "bin/nginx"'
    if isinstance(value, str):
        enums = (found for found in wanted.alternatives if isinstance(found, t.Enum))
        close = closest_word(
            value, (word for enum in enums for word in enum.values if isinstance(word, str))
        )
        if close is not None:
            return f"did you mean {close!r}?"
    shown = example(wanted)
    return None if shown is None else f"for example {shown}"


def _conversions(value: Any) -> Iterator[tuple[str, Any]]:
    """What may have been meant, as it is written in Python, and as it is."""
    converted: list[Any] = []
    match kind(value):
        case Kind.STRING:
            word = value.casefold()
            converted += [_SPELT[word]] if word in _SPELT else []
            converted += [int(value)] if _NUMERAL.fullmatch(value) else []
            converted += [float(value)] if _DECIMAL.fullmatch(value) else []
        case Kind.BOOLEAN:
            converted += ["true" if value else "false", "yes" if value else "no", int(value)]
        case Kind.INTEGER:
            converted += [bool(value)] if value in (0, 1) else []
            converted += [float(value), str(value)]
        case Kind.FLOAT:
            converted += [int(value)] if value.is_integer() else []
            converted.append(str(value))
    yield from ((repr(item), item) for item in converted)
    if kind(value) is Kind.LIST and len(value) == 1:
        yield _written(value[0]), value[0]
    elif kind(value) is not Kind.LIST:
        yield f"[{_written(value)}]", [value]


def _written(value: Any) -> str:
    match value:
        case Source():
            return f"Source({value.path!r})"
        case Package() | ConfigFile():
            return f"{type(value).__name__}({value.name!r}{'' if isinstance(value, Package) else ', …'})"
    text = repr(value)
    return text if kind(value) is not Kind.TEXT and len(text) <= 60 else "…"


def _takes(wanted: t.Type, kind_of_type: type) -> bool:
    """Whether an alternative, or what it is a list of, is of that kind."""
    return any(
        isinstance(found, kind_of_type)
        or (isinstance(found, t.ListOf) and _takes(found.element, kind_of_type))
        for found in wanted.alternatives
    )


def example(wanted: t.Type) -> str | None:
    """A value of the type, as it is written in Python."""
    found = map(_example, wanted.alternatives)
    return next((text for text in found if text is not None), None)


def _example(alternative: t.Alternative) -> str | None:
    match alternative:
        case t.Boolean():
            return "True"
        case t.Number():
            return _number(alternative)
        case t.String(vague=False, pattern=None):
            return "'text'"
        case t.String(vague=False, pattern=str(pattern)):
            return next((repr(word) for word in _WORDS if posix.matches(pattern, word)), None)
        case t.Path(absolute=False):
            return "'example'"
        case t.Path(in_store=True):
            return "Source('example')"
        case t.Path():
            return "'/var/lib/example'"
        case t.Package():
            return "Package('hello')"
        case t.Enum(values=values) if values:
            return repr(values[0])
        case t.ListOf(element=element, minimum=minimum):
            inner = example(element)
            return None if inner is None else f"[{', '.join([inner] * max(minimum, 1))}]"
        case t.AttrsOf(element=element):
            inner = example(element)
            return "{}" if inner is None else f"{{'name': {inner}}}"
        case _:
            return None


def _number(wanted: t.Number) -> str:
    low = wanted.low if wanted.low is not None else wanted.high
    value = 1 if low is None or (low <= 1 and (wanted.high is None or wanted.high >= 1)) else low
    return str(int(value)) if wanted.integers else str(float(value))
