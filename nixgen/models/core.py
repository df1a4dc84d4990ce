"""What every model shares: where it was written, and checks that report instead of raising.

A constructor that raised would show a user one fault per run. So fields carry their checks as data, constructors accept
anything, and `nixgen.models.check` runs them all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

#: (suffix of the model path, what is wrong, what to do)
Fault = tuple[str, str, str | None]
#: Yields the faults of one field's value.
Check = Callable[[Any], Iterable[Fault]]

_PACKAGE = __name__.partition(".")[0]
CHECKS = "nixgen.checks"


@attrs.frozen
class Origin:
    """A line of the user's own file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def _is_ours(module: str) -> bool:
    return module == _PACKAGE or module.startswith(_PACKAGE + ".")


def caller() -> Origin | None:
    """The nearest frame outside nixgen and outside the code that attrs generates."""
    frame = sys._getframe(2)  # noqa: SLF001  # inspect.stack() reads every source file; this costs microseconds
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<attrs") and not _is_ours(frame.f_globals.get("__name__", "")):
            return Origin(file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


@attrs.frozen(eq=False)
class Model:
    """Base of all models. Two models are the same thing only when they are the same object."""

    origin: Origin | None = attrs.field(init=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "origin", caller())

    def faults(self) -> Iterator[Fault]:
        """Faults of this value alone that concern more than one of its fields."""
        yield from ()


def at(value: Model) -> str | None:
    """Where the user wrote it, for messages."""
    return str(value.origin) if value.origin else None


def checked(*checks: Check) -> dict[str, Any]:
    """Field metadata that carries the checks of the field."""
    return {CHECKS: checks}


def as_tuple(value: Any) -> Any:
    """Lists, sets and generators become tuples; anything else is left for the checks to name."""
    if isinstance(value, (list, set, frozenset, Iterator)):
        return tuple(value)
    return value


def as_dict(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def instance(*types: type, what: str) -> Check:
    def run(value: Any) -> Iterator[Fault]:
        if not isinstance(value, types):
            yield "", f"must be {what}, not {type(value).__name__} {_shown(value)}", None

    return run


def optional(check: Check) -> Check:
    def run(value: Any) -> Iterable[Fault]:
        return () if value is None else check(value)

    return run


def boolean(value: Any) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield "", f"must be True or False, not {_shown(value)}", None


def whole_number(low: int, high: int) -> Check:
    """An int in ``low … high``; True and False are not numbers."""

    def run(value: Any) -> Iterator[Fault]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield "", f"must be a whole number, not {type(value).__name__} {_shown(value)}", None
        elif not low <= value <= high:
            yield "", f"must be between {low} and {high}, not {value}", None

    return run


def string(value: Any) -> Iterator[Fault]:
    """Text that Nix can hold: no NUL, no lone surrogate."""
    if not isinstance(value, str):
        yield "", f"must be text, not {type(value).__name__} {_shown(value)}", None
    elif "\0" in value:
        yield "", "contains a NUL character, which Nix strings cannot hold", None
    elif not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            hint = "decode the bytes it came from with their real encoding"
            yield "", "contains a lone surrogate, which is not valid Unicode text", hint


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Control characters but the tab: no line format can hold them. systemd ends a line at CR as well as LF."""


def one_line(file: str, *, separators: str = "") -> Check:
    """Text that stays inside one line, or one field of a line, of the file it is written to.

    :param file: the file as people know it, such as ``a systemd unit``.
    :param separators: characters that would end the field, such as ``:`` in /etc/passwd.
    """
    refused = re.compile(
        f"{_CONTROL.pattern}|[{re.escape(separators)}]" if separators else _CONTROL
    )

    def run(value: Any) -> Iterator[Fault]:
        faulty = False
        for fault in string(value):
            faulty = True
            yield fault
        if not faulty and (found := refused.search(value)):
            yield "", f"contains {found[0]!r}, which would end its place in {file}", "take it out"

    return run


def every(*checks: Check) -> Check:
    """A value that passes all of these; the faults of the first that it fails."""

    def run(value: Any) -> Iterable[Fault]:
        for check in checks:
            if faults := list(check(value)):
                return faults
        return ()

    return run


def pattern(regex: str, *, what: str, example: str) -> Check:
    compiled = re.compile(regex)

    def run(value: Any) -> Iterator[Fault]:
        faulty = False
        for fault in string(value):
            faulty = True
            yield fault
        if not faulty and not compiled.fullmatch(value):
            yield "", f"{value!r} is not {what}", f"for example {example}"

    return run


def one_of(*choices: str) -> Check:
    def run(value: Any) -> Iterator[Fault]:
        if value not in choices:
            yield "", f"must be one of {', '.join(choices)}, not {_shown(value)}", None

    return run


def each(check: Check) -> Check:
    """A tuple of values; faults carry the index."""

    def run(value: Any) -> Iterator[Fault]:
        if not isinstance(value, tuple):
            yield "", f"must be a list, not {type(value).__name__} {_shown(value)}", None
            return
        for index, item in enumerate(value):
            for suffix, message, hint in check(item):
                yield f"[{index}]{suffix}", message, hint

    return run


def mapping(key: Check, item: Check) -> Check:
    """A dict; faults carry the key."""

    def run(value: Any) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield "", f"must be a dict, not {type(value).__name__} {_shown(value)}", None
            return
        for name, content in value.items():
            for suffix, message, hint in key(name):
                yield f"[{name!r}]{suffix}", message, hint
            for suffix, message, hint in item(content):
                yield f"[{name!r}]{suffix}", message, hint

    return run


#: name, what the value is when nothing was given (which needs no check), checks
FieldChecks = tuple[str, Any, tuple[Check, ...]]


def field_checks(cls: type) -> tuple[FieldChecks, ...]:
    """The checks of a model class, field by field; computed once a class."""
    found = _FIELD_CHECKS.get(cls)
    if found is None:
        found = tuple(
            (field.name, field.default, field.metadata[CHECKS])
            for field in attrs.fields(cls)
            if CHECKS in field.metadata
        )
        _FIELD_CHECKS[cls] = found
    return found


_FIELD_CHECKS: dict[type, tuple[FieldChecks, ...]] = {}
