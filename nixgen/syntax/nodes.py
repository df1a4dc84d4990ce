"""Nix expressions as values: what can be said, not how it is laid out.

Every node is checked when it is made, so that whatever exists can be printed. Names, paths of names
and texts are plain Python strings; the printer quotes and escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import field, frozen

from nixgen.errors import UnprintableError
from nixgen.syntax.bindings import (
    Bindings,
    Expr,
    Inherit,
    defined_twice,
    identifier,
    to_bindings,
    to_path,
)
from nixgen.syntax.text import (
    INT_MAX,
    INT_MIN,
    check_text,
    path_literal,
    print_float,
)

__all__ = [
    "AttrSet",
    "BinaryOp",
    "Bindings",
    "Bool",
    "Call",
    "Commented",
    "Constant",
    "Expr",
    "Float",
    "Formal",
    "Function",
    "HasAttr",
    "If",
    "Inherit",
    "Int",
    "Interpolation",
    "Lambda",
    "Let",
    "List",
    "Mark",
    "Not",
    "Null",
    "Path",
    "Select",
    "Str",
    "Var",
]

OPERATORS: Final = frozenset(
    {"!=", "&&", "*", "+", "++", "-", "->", "/", "//", "<", "<=", "==", ">", ">=", "||"}
)


def _text(_node: object, _attribute: object, value: str) -> None:
    check_text(value)


def _exprs(nodes: Iterable[Expr]) -> tuple[Expr, ...]:
    return tuple(nodes)


# --- literals ---


@frozen
class Null(Expr):
    pass


@frozen
class Bool(Expr):
    value: bool


@frozen
class Int(Expr):
    value: int = field()

    @value.validator
    def _check(self, _attribute: object, value: int) -> None:
        if not INT_MIN <= value <= INT_MAX:
            raise UnprintableError(
                f"{value} is outside of Nix's integers, -2^63 to 2^63-1",
                hint="use a string for larger numbers",
            )


@frozen
class Float(Expr):
    """A finite, normal double. Negative zero is printed as zero."""

    value: float = field()

    @value.validator
    def _check(self, _attribute: object, value: float) -> None:
        print_float(value)


@frozen
class Str(Expr):
    value: str = field(validator=_text)


def _parts(parts: Iterable[str | Expr]) -> tuple[str | Expr, ...]:
    """Neighbouring texts are joined: only then is it known that a ``$`` stands before a ``{``."""
    joined: list[str | Expr] = []
    for given in parts:
        part = given.value if isinstance(given, Str) else given
        if isinstance(part, str):
            check_text(part)
            if joined and isinstance(joined[-1], str):
                joined[-1] += part
                continue
            if not part:
                continue
        joined.append(part)
    return tuple(joined)


@frozen
class Interpolation(Expr):
    """A string with antiquotations: texts and expressions, in order."""

    parts: tuple[str | Expr, ...] = field(converter=_parts)


@frozen
class Path(Expr):
    """A path relative to the file that it is printed in: ``../app``, ``./a b/c``."""

    value: str = field()

    @value.validator
    def _check(self, _attribute: object, value: str) -> None:
        path_literal(value)


# --- names ---


@frozen
class Var(Expr):
    name: str = field(validator=identifier)


@frozen
class Select(Expr):
    """``expr.path``, or ``expr.path or default``."""

    expr: Expr
    path: tuple[str, ...] = field(converter=to_path)
    default: Expr | None = None


@frozen
class HasAttr(Expr):
    """``expr ? path``."""

    expr: Expr
    path: tuple[str, ...] = field(converter=to_path)


# --- collections ---


@frozen
class List(Expr):
    items: tuple[Expr, ...] = field(default=(), converter=_exprs)


@frozen
class AttrSet(Expr):
    """``{ … }``. Keys are names or attribute paths; they are kept in printed order.

    :param bindings: A mapping, or pairs of key and value with :class:`Inherit` among them.
    """

    bindings: Bindings = field(default=Bindings(), converter=to_bindings)
    recursive: bool = False


@frozen
class Let(Expr):
    bindings: Bindings = field(converter=to_bindings)
    body: Expr


# --- functions ---


@frozen
class Formal:
    """One name of a function's set pattern, with ``? default``."""

    name: str = field(validator=identifier)
    default: Expr | None = None


def _formals(formals: Iterable[str | Formal]) -> tuple[Formal, ...]:
    return tuple(Formal(name) if isinstance(name, str) else name for name in formals)


@frozen
class Function(Expr):
    """``{ formals, ... }: body``. The order of the formals is kept."""

    formals: tuple[Formal, ...] = field(converter=_formals)
    body: Expr
    ellipsis: bool = False

    @formals.validator
    def _check(self, _attribute: object, formals: tuple[Formal, ...]) -> None:
        names = [formal.name for formal in formals]
        for name in names:
            if names.count(name) > 1:
                raise defined_twice(name)


@frozen
class Lambda(Expr):
    """``parameter: body``."""

    parameter: str = field(validator=identifier)
    body: Expr


@frozen
class Call(Expr):
    """``function argument argument …``."""

    function: Expr
    arguments: tuple[Expr, ...] = field(converter=_exprs)

    @arguments.validator
    def _check(self, _attribute: object, arguments: tuple[Expr, ...]) -> None:
        if not arguments:
            raise UnprintableError(
                "a call needs an argument", hint="use the function itself, or pass AttrSet()"
            )


# --- operators ---


@frozen
class If(Expr):
    condition: Expr
    then: Expr
    otherwise: Expr


@frozen
class Not(Expr):
    expr: Expr


@frozen
class BinaryOp(Expr):
    operator: str = field()
    left: Expr
    right: Expr

    @operator.validator
    def _check(self, _attribute: object, operator: str) -> None:
        if operator not in OPERATORS:
            raise UnprintableError(
                f"Nix has no operator {operator!r}",
                hint=f"use one of {' '.join(sorted(OPERATORS))}",
            )


# --- wrappers ---


@frozen(eq=False)
class Constant(Expr):
    """Prints as ``expr``. Its lines are made once, because many files repeat it.

    :param expr: An expression without a `Mark` in it, for its lines belong to no file.
    """

    expr: Expr
    lines: dict[tuple[str, str], tuple[str, ...]] = field(factory=dict, init=False, repr=False)
    """The text in front of it and behind it → its lines between these, without indentation."""
    words: dict[bool, str | None] = field(factory=dict, init=False, repr=False)
    """Whether several lines are allowed → its text on one line, or None where these are better."""


@frozen
class Mark(Expr):
    """Prints as ``expr``; the printer reports the lines it took as coming from ``origin``."""

    expr: Expr
    origin: object = field(eq=False)


@frozen
class Commented(Expr):
    """``expr`` with ``# …`` lines above the line on which it starts (a binding's key included)."""

    comment: str
    expr: Expr
