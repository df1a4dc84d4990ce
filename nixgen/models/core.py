"""What every model shares: where it was written, and checks that report instead of raising.

A constructor that raised would show a user one fault per run. So fields carry their checks as data, constructors accept
anything, and `nixgen.models.check` runs them all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, SupportsIndex, TypeAlias, TypeVar, get_args

import attrs

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

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


class Ordered(Protocol[_T_co]):
    """A list or a tuple, for type checkers.

    A str is none, although it is a sequence of str: what it may be asked to contain is text only.
    A set is none, because its order changes from run to run.
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
    """Lists and generators become tuples; anything else is left for the checks to name."""
    if isinstance(value, (list, Iterator)):
        return tuple(value)
    return value  # type: ignore[return-value]  # what it is, `each` says


def as_strings(value: Many[str]) -> tuple[str, ...]:
    return as_tuple(value)


def as_dict(value: Mapping[str, _T]) -> dict[str, _T]:
    """Mappings become dicts; anything else is left for the checks to name."""
    return dict(value) if isinstance(value, Mapping) else value  # what it is, `mapping` says


def as_string_dict(value: Mapping[str, str]) -> dict[str, str]:
    return as_dict(value)


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


FLAG = checked(boolean)
"""Metadata of a field that is True or False."""


def _named(*types: type) -> str:
    """``a Port``; ``an HttpCheck, a TcpCheck or a CommandCheck``."""
    names = [
        f"{'an' if type_.__name__[0] in 'AEIOUH' and type_.__name__[:2] != 'Ha' else 'a'} {type_.__name__}"
        for type_ in types
    ]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def model(*types: type) -> dict[str, Any]:
    """Metadata of a field that holds one model of these classes."""
    return checked(instance(*types, what=_named(*types)))


def optional_model(*types: type) -> dict[str, Any]:
    """Metadata of a field that holds one model of these classes, or None."""
    return checked(optional(instance(*types, what=_named(*types))))


def models(type_: type) -> dict[str, Any]:
    """Metadata of a field that holds a list of models of one class."""
    return checked(each(instance(type_, what=_named(type_))))


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


def one_of(literal: Any) -> Check:
    """One of the values of a ``Literal[…]``, which is the field's type as well."""
    choices: tuple[str, ...] = get_args(literal)

    def run(value: Any) -> Iterator[Fault]:
        if value not in choices:
            yield "", f"must be one of {', '.join(choices)}, not {_shown(value)}", None

    return run


def _list_fault(value: Any) -> tuple[str, str | None]:
    """Message and hint for a value that is no list."""
    text = f"must be a list, not {type(value).__name__} {_shown(value)}"
    if isinstance(value, (set, frozenset)):
        return text, "a set has another order in each run: write [ ] instead of { }"
    if isinstance(value, (str, int, Model)):
        what = f"{type(value).__name__}(…)" if isinstance(value, Model) else repr(value)
        return text, f"put it into brackets: [{what}]"
    return text, None


def each(check: Check) -> Check:
    """A tuple of values; faults carry the index."""

    def run(value: Any) -> Iterator[Fault]:
        if not isinstance(value, tuple):
            yield "", *_list_fault(value)
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
