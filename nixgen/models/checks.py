"""Fields of models: what they take, and the checks of their values.

A field's metadata carries its checks; its converter says to mypy and pyright what its argument may
be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import (
    Any,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    get_args,
)

import attrs

from nixgen.models.core import Fault, Model, excerpt

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

#: Returns the faults of one field's value. An empty collection spares the value a second look,
#: which a generator always needs.
Check = Callable[[Any], Iterable[Fault]]

CHECKS = "nixgen.checks"


def checked(*checks: Check) -> dict[str, Any]:
    """Field metadata that carries the checks of the field."""
    return {CHECKS: checks}


class Ordered(Protocol[_T_co]):
    """A list or a tuple, for type checkers.

    A str does not match, although it is a sequence of str: its ``in`` takes text only. A set does
    not match, because its order changes from run to run.
    """

    def __contains__(self, value: object, /) -> bool: ...
    def __getitem__(self, index: SupportsIndex, /) -> _T_co: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __len__(self) -> int: ...


#: What a field with a list takes: generators, too, as their order is fixed.
Many: TypeAlias = Ordered[_T] | Iterator[_T]


# Each kind of element has a converter of its own, in the module of its model: mypy and pyright take
# the type of a constructor's argument from the converter, and neither infers it from a generic one.


def as_tuple(value: Many[_T]) -> tuple[_T, ...]:
    """Turn a list or a generator into a tuple. Leave any other value for the checks to report."""
    if isinstance(value, (list, Iterator)):
        return tuple(value)
    return value  # type: ignore[return-value]  # what it is, `each` says


def as_strings(value: Many[str]) -> tuple[str, ...]:
    return as_tuple(value)


def as_dict(value: Mapping[str, _T]) -> dict[str, _T]:
    """Turn a mapping into a dict. Leave any other value for the checks to report."""
    return dict(value) if isinstance(value, Mapping) else value  # what it is, `mapping` says


def as_string_dict(value: Mapping[str, str]) -> dict[str, str]:
    return as_dict(value)


def _python(value: Any) -> str:
    """Write a value as Python source: text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _spelled(value: Any, types: tuple[type, ...]) -> str | None:
    """Suggest how to write a plain value where one of these types belongs: ``Port(8000)``,
    ``"8000"``.
    """
    if str in types:
        return f'"{value}"' if isinstance(value, (int, float)) else None
    if not isinstance(value, (str, int)):
        return None
    for type_ in types:
        if not issubclass(type_, Model):
            continue
        first, *rest = (field for field in attrs.fields(type_) if field.init)
        if not first.kw_only and all(field.default is not attrs.NOTHING for field in rest):
            checks = first.metadata.get(CHECKS, ())
            if not any(fault for check in checks for fault in check(value)):
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
    def run(value: Any) -> Iterable[Fault]:
        return () if value is None else check(value)

    return run


def boolean(value: Any) -> Iterable[Fault]:
    if isinstance(value, bool):
        return ()
    return (("", f"must be True or False, not {excerpt(value)}", None),)


FLAG = checked(boolean)
"""Metadata of a field that is True or False."""


def _named(*types: type) -> str:
    """Join the names of classes, each with its article: ``a Port``; ``an HttpCheck, a TcpCheck or a
    CommandCheck``.
    """
    names = [
        f"{'an' if type_.__name__[0] in 'AEIOUH' and type_.__name__[:2] != 'Ha' else 'a'} {type_.__name__}"
        for type_ in types
    ]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def model(*types: type) -> dict[str, Any]:
    """Make the metadata of a field that holds one model of these classes."""
    return checked(instance(*types, what=_named(*types)))


def optional_model(*types: type) -> dict[str, Any]:
    """Make the metadata of a field that holds one model of these classes, or None."""
    return checked(optional(instance(*types, what=_named(*types))))


def models(type_: type) -> dict[str, Any]:
    """Make the metadata of a field that holds a list of models of one class."""
    return checked(each(instance(type_, what=_named(type_))))


def whole_number(low: int, high: int) -> Check:
    """Make a check for an int from ``low`` to ``high``, both included. True and False do not pass."""

    def run(value: Any) -> Iterable[Fault]:
        if isinstance(value, bool) or not isinstance(value, int):
            digits = isinstance(value, str) and value.isascii() and value.isdigit()
            hint = f"write {int(value)}" if digits else None
            text = f"must be a whole number, not {type(value).__name__} {excerpt(value)}"
            return (("", text, hint),)
        if not low <= value <= high:
            return (("", f"must be between {low} and {high}, not {value}", None),)
        return ()

    return run


def string(value: Any) -> tuple[Fault, ...]:
    """Check for text that Nix can hold: no NUL character, no lone surrogate."""
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
"""Control characters but the tab: no line format can hold them. systemd ends a line at CR as well as LF."""


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
        return (("", f"contains {found[0]!r}, which would end its place in {file}", "take it out"),)

    return run


def every(*checks: Check) -> Check:
    """Make a check that a value passes all of these checks. It reports the faults of the first
    check that fails.
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
"""A label of RFC 1123 that begins with a letter: what hosts, units and Kubernetes all take."""
LABEL_RULE = "small letters, digits and dashes, 63 at most; a letter first, and no dash at the end"

TARGET_NAME = pattern(LABEL, what="a name", example="smoke", allowed=LABEL_RULE)
"""The name of something that commands take as a target."""


def one_of(literal: Any) -> Check:
    """Make a check for one of the values of a ``Literal[…]``, which is the field's type as well."""
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
    """Make a check for a tuple whose items all pass ``check``. Faults carry the index of the item."""

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
    """Make a check for a dict whose keys pass ``key`` and whose values pass ``item``. Faults carry
    the key.
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
