"""Declarations of a model's fields: what each field takes, and its default.

A field without a default is required. Fields are given by name, unless they say ``kw_only=False``::

    @model
    class Port(Model):
        number: int = field(whole_number(1, 65535), kw_only=False)
        protocol: Protocol = choice(Protocol, default="tcp")
        public: bool = flag(default=True)

Type checkers take these functions for the fields of a dataclass (PEP 681). Therefore a default is
always written as ``default=…``: they look for the word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import (
    Any,
    Generic,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    overload,
)

import attrs

from nixgen.models.checks import CHECK, Check, boolean, each, instance, mapping, one_of, optional
from nixgen.models.core import Fault, Model
from nixgen.models.lines import Line, line_types

__all__ = [
    "Converted",
    "ListOf",
    "Many",
    "as_dict",
    "as_tuple",
    "choice",
    "dict_of",
    "field",
    "flag",
    "list_of",
    "model",
]

#: Key of a field's metadata: the classes of the texts of its values (`nixgen.models.lines`).
LINES = "nixgen.lines"

_T = TypeVar("_T")
_M = TypeVar("_M", bound=Model)
_T_co = TypeVar("_T_co", covariant=True)
_Kept_co = TypeVar("_Kept_co", covariant=True)
_Given_contra = TypeVar("_Given_contra", contravariant=True)


class Ordered(Protocol[_T_co]):
    """A list or a tuple, for type checkers.

    A str does not match, although it is a sequence of str: its ``in`` takes text only. A set does
    not match, because its order changes from run to run.
    """

    def __contains__(self, value: object, /) -> bool: ...
    def __getitem__(self, index: SupportsIndex, /) -> _T_co: ...
    def __iter__(self) -> Iterator[_T_co]: ...
    def __len__(self) -> int: ...


class Converted(Generic[_Kept_co, _Given_contra]):
    """The annotation of a field that keeps another type than its constructor accepts.

    Type checkers read a field with the methods of a descriptor as two types: ``__set__`` has the
    type of the constructor's argument, and ``__get__`` the type of the attribute. The class is never
    made.
    """

    @overload
    def __get__(self, instance: None, owner: type) -> Any: ...
    @overload
    def __get__(self, instance: object, owner: type) -> _Kept_co: ...
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __set__(self, instance: object, value: _Given_contra) -> None: ...


#: Argument of a field with a list. Generators are accepted, because their order is fixed.
Many: TypeAlias = Ordered[_T] | Iterator[_T]
#: A field that takes `Many` and keeps a tuple.
ListOf: TypeAlias = Converted[tuple[_T, ...], Many[_T]]


def as_tuple(value: Many[_T]) -> tuple[_T, ...]:
    """Turn a list or a generator into a tuple. Leave any other value for the checks to report.

    :param value: Argument of a constructor.
    """
    if isinstance(value, (list, Iterator)):
        return tuple(value)
    return value  # type: ignore[return-value]  # what it is, `each` says


def as_dict(value: Mapping[str, _T]) -> dict[str, _T]:
    """Turn a mapping into a dict. Leave any other value for the checks to report.

    :param value: Argument of a constructor.
    """
    return dict(value) if isinstance(value, Mapping) else value  # what it is, `mapping` says


def _article(type_: type) -> str:
    """Write the name of a class with its article: ``a Port``, ``an Image``."""
    name = type_.__name__
    return f"an {name}" if name[0] in "AEIOUH" and name[:2] != "Ha" else f"a {name}"


def _check(kinds: tuple[Check | type, ...]) -> Check:
    """Return the only check, or make one for a text of a line, or an instance of some classes."""
    types = tuple(kind for kind in kinds if isinstance(kind, type) and not issubclass(kind, Line))
    lines = line_types(kinds)
    if lines:
        (line,) = lines
        return _text_or(types, line.check) if types else line.check
    if not types:
        (check,) = kinds
        return check
    *names, last = map(_article, types)
    what = f"{', '.join(names)} or {last}" if names else last
    return instance(*types, what=what)


def _text_or(types: tuple[type, ...], check: Check) -> Check:
    """Make a check that instances of some classes pass as well."""

    def run(value: Any) -> Iterable[Fault]:
        return () if isinstance(value, types) else check(value)

    return run


def field(
    *kinds: Check | type,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    convert: Callable[[Any], Any] | None = None,
    lines: tuple[type[Line], ...] = (),
    hidden: bool = False,
) -> Any:
    """Declare a field of one value.

    :param kinds: Check of the value, the class of its text in a line (`nixgen.models.lines`), or the
        classes that it may be an instance of.
    :param default: Value of a field that is not given. With None, the field takes None as well.
    :param kw_only: False for a field that is given by its place.
    :param convert: Converts the argument before it is checked. It leaves a wrong value for the
        check to report.
    :param lines: Classes of the texts in the value, when ``kinds`` is a check that does not say so.
    :param hidden: True for values that no representation of the model may have. False is the
        default.
    """
    check = optional(_check(kinds)) if default is None else _check(kinds)
    return attrs.field(
        default=default,
        kw_only=kw_only,
        converter=convert,
        repr=not hidden,
        metadata={CHECK: check, LINES: lines or line_types(kinds)},
    )


def flag(*, default: bool) -> Any:
    """Declare a field that is True or False.

    :param default: Value of a field that is not given.
    """
    return field(boolean, default=default)


def choice(literal: Any, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a field that holds one of the values of a ``Literal[…]``.

    :param literal: The ``Literal[…]``, which is the type of the field as well.
    :param default: Value of a field that is not given.
    :param kw_only: False for a field that is given by its place.
    """
    return field(one_of(literal), default=default, kw_only=kw_only)


def list_of(
    *kinds: Check | type,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    lines: tuple[type[Line], ...] = (),
) -> Any:
    """Declare a `ListOf` field.

    :param kinds: Check of each item, the class of its text in a line, or the classes that it may be
        an instance of.
    :param default: Value of a field that is not given.
    :param kw_only: False for a field that is given by its place.
    :param lines: Classes of the texts in an item, when ``kinds`` is a check that does not say so.
    """
    types = lines or line_types(kinds)
    check = each(_check(kinds))
    return field(check, default=default, kw_only=kw_only, convert=as_tuple, lines=types)


def dict_of(
    key: type[Line],
    *kinds: Check | type,
    default: Any = attrs.NOTHING,
    lines: tuple[type[Line], ...] = (),
) -> Any:
    """Declare a field that holds a dict.

    :param key: Class of the text of each key.
    :param kinds: Check of each value, the class of its text in a line, or the classes that it may be
        an instance of.
    :param default: Value of a field that is not given. It is copied.
    :param lines: Classes of the texts in a value, when ``kinds`` is a check that does not say so.
    """
    types = (key, *(lines or line_types(kinds)))
    check = mapping(key.check, _check(kinds))
    return field(check, default=default, convert=as_dict, lines=types)


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(field, flag, choice, list_of, dict_of),
)
def model(cls: type[_M]) -> type[_M]:
    """Make a class a model: its fields become arguments of its constructor and cannot be changed.

    :param cls: Class whose fields are declared by the functions of this module.
    """
    made = attrs.frozen(eq=False)(cls)
    # attrs writes the annotation of the converter, which does not name the type of the items
    made.__init__.__annotations__.update(
        {each.name: each.type for each in attrs.fields(made) if each.init}
    )
    return made
