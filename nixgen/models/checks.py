"""Checks of values. Each returns faults instead of raising, so that one run reports all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, get_args

import attrs

from nixgen.models.core import Fault, Model, excerpt

_T = TypeVar("_T")

#: Returns the faults of one field's value. An empty collection spares the value a second look,
#: which a generator always needs.
Check = Callable[[Any], Iterable[Fault]]

#: Key of a field's metadata: the check of its values.
CHECK = "nixgen.check"


def _python(value: Any) -> str:
    """Write a value as Python source: text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _spelled(value: Any, types: tuple[type, ...]) -> str | None:
    """Suggest how to write a plain value where one of these types belongs: ``Port(8000)``,
    ``"8000"``.
    """
    if str in types:
        # a number of any other size is no text that somebody forgot to quote
        written = isinstance(value, (int, float)) and abs(value) < 2**64
        return f'"{value}"' if written else None
    if not isinstance(value, (str, int)):
        return None
    for type_ in types:
        if not issubclass(type_, Model):
            continue
        first, *rest = (field for field in attrs.fields(type_) if field.init)
        only = not first.kw_only and all(each.default is not attrs.NOTHING for each in rest)
        if only and not any(first.metadata[CHECK](value)):
            return f"{type_.__name__}({_python(value)})"
    return None


def instance(*types: type, what: str) -> Check:
    """Make a check that a value has one of these types.

    :param types: Types that pass.
    :param what: Name of the types with an article, for the message: ``a Package``.
    """

    def run(value: Any) -> Iterable[Fault]:
        if isinstance(value, types):
            return ()
        spelled = _spelled(value, types)
        hint = f"write {spelled}" if spelled else None
        return (("", f"must be {what}, not {type(value).__name__} {excerpt(value)}", hint),)

    return run


def optional(check: Check) -> Check:
    """Make a check that None passes as well.

    :param check: Check of any other value.
    """

    def run(value: Any) -> Iterable[Fault]:
        return () if value is None else check(value)

    return run


def boolean(value: Any) -> Iterable[Fault]:
    """Check for True or False.

    :param value: Value to check.
    """
    if isinstance(value, bool):
        return ()
    return (("", f"must be True or False, not {excerpt(value)}", None),)


def whole_number(low: int, high: int) -> Check:
    """Make a check for an int. True and False do not pass.

    :param low: Lowest int that passes.
    :param high: Highest int that passes.
    """

    def run(value: Any) -> Iterable[Fault]:
        if isinstance(value, bool) or not isinstance(value, int):
            digits = isinstance(value, str) and value.isascii() and value.isdigit()
            hint = f"write {int(value)}" if digits else None
            text = f"must be a whole number, not {type(value).__name__} {excerpt(value)}"
            return (("", text, hint),)
        if not low <= value <= high:
            return (("", f"must be between {low} and {high}, not {excerpt(value)}", None),)
        return ()

    return run


def string(value: Any) -> tuple[Fault, ...]:
    """Check for text that Nix can hold: no NUL character, no lone surrogate.

    :param value: Value to check.
    """
    if type(value) is str and value.isascii() and "\0" not in value:
        return ()
    return tuple(_string_faults(value))


def _string_faults(value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        spelled = _spelled(value, (str,))
        hint = f"write {spelled}" if spelled else None
        yield "", f"must be text, not {type(value).__name__} {excerpt(value)}", hint
    elif "\0" in value:
        yield "", "contains a NUL character, which Nix strings cannot hold", None
    elif not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            hint = "decode the bytes it came from with their real encoding"
            yield "", "contains a lone surrogate, which is not valid Unicode text", hint


CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Control characters except the tab: no line format can hold them. systemd ends a line at CR as well as LF."""


def one_line(file: str, *, separators: str = "") -> Check:
    """Make a check for text that stays inside one line, or inside one field of a line, of a file.

    :param file: Name of the file for the message, such as ``a systemd unit``.
    :param separators: Characters that would end the field, such as ``:`` in /etc/passwd. None
        unless given.
    """
    refused = re.compile(f"{CONTROL.pattern}|[{re.escape(separators)}]" if separators else CONTROL)

    def run(value: Any) -> Iterable[Fault]:
        if faults := string(value):
            return faults
        found = refused.search(value)
        if found is None:
            return ()
        ends = found[0] in "\n\r" or found[0] in separators
        effect = f"which would end its place in {file}" if ends else f"which {file} cannot hold"
        return (("", f"contains {found[0]!r}, {effect}", "take it out"),)

    return run


_LOST_AT_EDGES = re.compile(r"\A([ \t])|([ \t\\])\Z")


def unquoted(file: str, *, separators: str = "") -> Check:
    """Make a check for text that is a whole value of a line, without quotes: it has no blank at
    either end, which would be lost, and no backslash at the end, which would continue the line.

    :param file: Name of the file for the message, such as ``a systemd unit``.
    :param separators: Characters that would end the value. None unless given.
    """
    inside = one_line(file, separators=separators)
    kept_out = f"{CONTROL.pattern}|{_LOST_AT_EDGES.pattern}"
    # one search for nearly every text
    suspect = re.compile(f"{kept_out}|[{re.escape(separators)}]" if separators else kept_out).search

    def run(value: Any) -> Iterable[Fault]:
        if type(value) is str and value.isascii() and not suspect(value):
            return ()
        if faults := inside(value):
            return faults
        found = _LOST_AT_EDGES.search(value)
        if found is None:
            return ()
        place = "begins" if found[1] else "ends"
        effect = "would join it to the next line of" if found[0] == "\\" else "would be lost in"
        return (("", f"{place} with {found[0]!r}, which {effect} {file}", "take it out"),)

    return run


def every(*checks: Check) -> Check:
    """Make a check that reports the faults of the first check that fails.

    :param checks: Checks to run, in this order. A later one may rely on the earlier ones.
    """

    def run(value: Any) -> Iterable[Fault]:
        for check in checks:
            if faults := list(check(value)):
                return faults
        return ()

    return run


def pattern(regex: str, *, what: str, example: str, allowed: str | None = None) -> Check:
    """Make a check for text that a regular expression matches as a whole.

    :param regex: Regular expression.
    :param what: Name of the value with an article, for the message: ``a host name``.
    :param example: Correct value, for the hint.
    :param allowed: Rule in words, for the hint, when the example alone does not explain it.
    """
    fits = re.compile(regex).fullmatch
    hint = f"{allowed}; for example {example}" if allowed else f"for example {example}"

    def run(value: Any) -> Iterable[Fault]:
        if type(value) is str and value.isascii() and fits(value) and "\0" not in value:
            return ()
        return string(value) or (() if fits(value) else (("", f"{value!r} is not {what}", hint),))

    return run


LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
"""A label of RFC 1123 that begins with a letter. Hosts, units and Kubernetes all accept it."""
LABEL_RULE = "small letters, digits and dashes, 63 at most; a letter first, and no dash at the end"


def one_of(literal: Any) -> Check:
    """Make a check for one of the values of a ``Literal[…]``.

    :param literal: The ``Literal[…]``, which is the type of the field as well.
    """
    choices: tuple[str, ...] = get_args(literal)

    def run(value: Any) -> Iterable[Fault]:
        if value in choices:
            return ()
        return (("", f"must be one of {', '.join(choices)}, not {excerpt(value)}", None),)

    return run


def _list_fault(value: Any, check: Check) -> tuple[str, str | None]:
    """Write the message and the hint for a value that is not a list."""
    text = f"must be a list, not {type(value).__name__} {excerpt(value)}"
    if isinstance(value, (set, frozenset)):
        return text, "a set has another order in each run: write [ ] instead of { }"
    if isinstance(value, Model):
        return text, f"put it into brackets: [{type(value).__name__}(…)]"
    if not isinstance(value, (str, int)):
        return text, None
    # what the fault of an element says of how to write it
    hints = [hint or "" for _, _, hint in check(value)]
    if hints:
        spelled = hints[0].removeprefix("write ") if hints[0].startswith("write ") else ""
    else:
        words = value.split() if isinstance(value, str) else [value]
        spelled = ", ".join(map(_python, words))
    return text, f"put it into brackets: [{spelled or _python(value)}]"


def each(check: Check) -> Check:
    """Make a check for a tuple. Faults carry the index of the item.

    :param check: Check of each item.
    """

    def run(value: Any) -> Iterable[Fault]:
        if not isinstance(value, tuple):
            return (("", *_list_fault(value, check)),)
        found: tuple[Fault, ...] = ()
        for index, item in enumerate(value):
            for suffix, message, hint in check(item):
                found += ((f"[{index}]{suffix}", message, hint),)
        return found

    return run


def mapping(key: Check, item: Check) -> Check:
    """Make a check for a dict. Faults carry the key.

    :param key: Check of each key.
    :param item: Check of each value.
    """

    def run(value: Any) -> Iterable[Fault]:
        if not isinstance(value, dict):
            text = f"must be a dict, not {type(value).__name__} {excerpt(value)}"
            return (("", text, None),)
        found: tuple[Fault, ...] = ()
        for name, content in value.items():
            for suffix, message, hint in (*key(name), *item(content)):
                found += ((f"[{name!r}]{suffix}", message, hint),)
        return found

    return run


def repeated(values: Iterable[_T]) -> Iterator[tuple[int, int, _T]]:
    """Yield each value that occurs again: its index, the index of its first occurrence, and the
    value itself. None may occur again, and a value that cannot be hashed is left for its own check
    to report.

    :param values: Values to compare.
    """
    first: dict[_T, int] = {}
    for index, value in enumerate(values):
        if value is None:
            continue
        try:
            known = first.setdefault(value, index)
        except TypeError:
            continue
        if known != index:
            yield index, known, value
