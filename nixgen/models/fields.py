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

from collections.abc import Callable, Iterator, Mapping
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
from nixgen.models.core import Model

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
    """Return the only check, or make one for an instance of some classes."""
    types = [kind for kind in kinds if isinstance(kind, type)]
    if not types:
        (check,) = kinds
        return check
    *names, last = map(_article, types)
    what = f"{', '.join(names)} or {last}" if names else last
    return instance(*types, what=what)


def field(
    *kinds: Check | type,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    convert: Callable[[Any], Any] | None = None,
) -> Any:
    """Declare a field of one value.

    :param kinds: Check of the value, or the classes that it may be an instance of.
    :param default: Value of a field that is not given. With None, the field takes None as well.
    :param kw_only: False for a field that is given by its place.
    :param convert: Converts the argument before it is checked. It leaves a wrong value for the
        check to report.
    """
    check = optional(_check(kinds)) if default is None else _check(kinds)
    return attrs.field(default=default, kw_only=kw_only, converter=convert, metadata={CHECK: check})


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


def list_of(*kinds: Check | type, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a `ListOf` field.

    :param kinds: Check of each item, or the classes that it may be an instance of.
    :param default: Value of a field that is not given.
    :param kw_only: False for a field that is given by its place.
    """
    return field(each(_check(kinds)), default=default, kw_only=kw_only, convert=as_tuple)


def dict_of(key: Check, *kinds: Check | type, default: Any = attrs.NOTHING) -> Any:
    """Declare a field that holds a dict.

    :param key: Check of each key.
    :param kinds: Check of each value, or the classes that it may be an instance of.
    :param default: Value of a field that is not given. It is copied.
    """
    return field(mapping(key, _check(kinds)), default=default, convert=as_dict)


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
