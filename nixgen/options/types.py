"""Types of NixOS options, as far as their descriptions tell.

A description such as ``null or list of string`` becomes a `Type`: alternatives, of which a value
has to fit one. A description that can be read in more than one way (trees before 22.11 write no
parentheses) has the alternatives of every reading, so that nothing is called wrong that one of them
allows.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

__all__ = [
    "ANYTHING",
    "Alternative",
    "Anything",
    "AttrsOf",
    "Boolean",
    "Enum",
    "Function",
    "ListOf",
    "NoNull",
    "Null",
    "Number",
    "Package",
    "Path",
    "Perhaps",
    "String",
    "Submodule",
    "Tagged",
    "Type",
    "Unknown",
]


@attrs.frozen
class Type:
    """The type of an option.

    :param words: The description that NixOS gives.
    :param alternatives: A value has to fit one of them.
    """

    words: str
    alternatives: tuple[Alternative, ...]


@attrs.frozen
class Anything:
    """Any data."""


@attrs.frozen
class NoNull:
    """Any data without a null anywhere in it."""


@attrs.frozen
class Unknown:
    """A type whose description nixgen cannot read."""


@attrs.frozen
class Null:
    pass


@attrs.frozen
class Boolean:
    pass


@attrs.frozen(kw_only=True)
class Number:
    """:param low: inclusive, as ``high``; None for no bound.
    :param nonzero: 0 is left out.
    """

    integers: bool = False
    floats: bool = False
    low: float | None = None
    high: float | None = None
    nonzero: bool = False


@attrs.frozen(kw_only=True)
class String:
    """:param pattern: A POSIX extended regular expression that the whole string matches.
    :param vague: There are further conditions, which the description does not say exactly.
    """

    pattern: str | None = None
    vague: bool = False


@attrs.frozen(kw_only=True)
class Path:
    """:param absolute: Whether it has to be; None when both are right. Likewise ``in_store``."""

    absolute: bool | None = None
    in_store: bool | None = None


@attrs.frozen
class Package:
    """A derivation, or a path at the top of the store."""


@attrs.frozen(kw_only=True)
class Enum:
    """:param unsaid: Kinds of values, in Nix's words, of which some are allowed that the
    description does not name.
    """

    values: tuple[str | int | bool, ...]
    unsaid: frozenset[str] = frozenset()


@attrs.frozen
class ListOf:
    element: Type
    minimum: int = 0
    maximum: int | None = None


@attrs.frozen
class AttrsOf:
    element: Type


@attrs.frozen
class Submodule:
    """Options of its own, which the option list has below this one.

    :param freeform: The type of a set of all that is not declared, when such is allowed.
    """

    freeform: Type | None = None


@attrs.frozen(kw_only=True)
class Tagged:
    """A set with exactly one of these names. Trees before 25.05 do not say which (empty)."""

    choices: tuple[str, ...] = ()


@attrs.frozen
class Function:
    """A function, which no data can be."""


@attrs.frozen(kw_only=True)
class Perhaps:
    """A type whose values NixOS converts, so only NixOS can tell whether the result fits.

    :param type: The type of the values before they are converted.
    """

    type: Type


Alternative: TypeAlias = (
    Anything
    | NoNull
    | Unknown
    | Null
    | Boolean
    | Number
    | String
    | Path
    | Package
    | Enum
    | ListOf
    | AttrsOf
    | Submodule
    | Tagged
    | Function
    | Perhaps
)

ANYTHING = Type("anything", (Anything(),))
