"""Nix expressions as values, without their layout.

Each node is checked when it is made, so that every node can be printed. Names, attribute paths and
texts are plain Python strings; the printer quotes and escapes them.
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

#: Operator → how tightly it binds, and the least such rank of its left and of its right operand,
#: as in Nix's parser.y.
OPERATORS: Final = {
    "->": (1, 2, 1),
    "||": (2, 2, 3),
    "&&": (3, 3, 4),
    "==": (4, 5, 5),
    "!=": (4, 5, 5),
    "<": (5, 6, 6),
    "<=": (5, 6, 6),
    ">": (5, 6, 6),
    ">=": (5, 6, 6),
    "//": (6, 7, 6),
    "+": (8, 8, 9),
    "-": (8, 8, 9),
    "*": (9, 9, 10),
    "/": (9, 9, 10),
    "++": (10, 11, 10),
}


def _text(_node: object, _attribute: object, value: str) -> None:
    check_text(value)


def _exprs(nodes: Iterable[Expr]) -> tuple[Expr, ...]:
    return tuple(nodes)


# --- literals ---


@frozen
class Null(Expr):
    """``null``."""


@frozen
class Bool(Expr):
    """``true`` or ``false``.

    :param value: The boolean.
    """

    value: bool


@frozen
class Int(Expr):
    """An integer of 64 bits.

    :param value: The number, -2^63 to 2^63-1.
    """

    value: int = field()

    @value.validator
    def _check(self, _attribute: object, value: int) -> None:
        if not INT_MIN <= value <= INT_MAX:
            # Python refuses to write more than 4,300 digits
            bits = value.bit_length()
            number = str(value) if bits < 256 else f"a number of {bits} bits"
            raise UnprintableError(
                f"{number} is outside of Nix's integers, -2^63 to 2^63-1",
                hint="use a string for larger numbers",
            )


@frozen
class Float(Expr):
    """A finite, normal double.

    :param value: The number. Negative zero is printed as zero.
    """

    value: float = field()

    @value.validator
    def _check(self, _attribute: object, value: float) -> None:
        print_float(value)


@frozen
class Str(Expr):
    """A string without antiquotations.

    :param value: Text of the string, not escaped.
    """

    value: str = field(validator=_text)


def _parts(parts: Iterable[str | Expr]) -> tuple[str | Expr, ...]:
    """Join neighbouring texts. Only then is it known whether a ``$`` stands before a ``{``."""
    joined: list[str | Expr] = []
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, Str):
            text += part.value
        else:
            if text:
                check_text(text)
                joined.append(text)
                text = ""
            joined.append(part)
    if text:
        check_text(text)
        joined.append(text)
    return tuple(joined)


@frozen
class Interpolation(Expr):
    """A string with antiquotations.

    :param parts: Texts and expressions of the string, in order.
    """

    parts: tuple[str | Expr, ...] = field(converter=_parts)


@frozen
class Path(Expr):
    """A path.

    :param value: Path relative to the file that it is printed in: ``../app``, ``./a b/c``.
    """

    value: str = field()

    @value.validator
    def _check(self, _attribute: object, value: str) -> None:
        path_literal(value)


# --- names ---


@frozen
class Var(Expr):
    """A variable.

    :param name: Name of the variable.
    """

    name: str = field(validator=identifier)


@frozen
class Select(Expr):
    """``expr.path``, or ``expr.path or default``.

    :param expr: Expression to select from.
    :param path: Name or names of the attribute.
    :param default: Value for a missing attribute. None (the default) makes that an error.
    """

    expr: Expr
    path: tuple[str, ...] = field(converter=to_path)
    default: Expr | None = None


@frozen
class HasAttr(Expr):
    """``expr ? path``.

    :param expr: Expression to look into.
    :param path: Name or names of the attribute.
    """

    expr: Expr
    path: tuple[str, ...] = field(converter=to_path)


# --- collections ---


@frozen
class List(Expr):
    """``[ … ]``.

    :param items: Items of the list, in order; none unless given.
    """

    items: tuple[Expr, ...] = field(default=(), converter=_exprs)


@frozen
class AttrSet(Expr):
    """``{ … }``.

    :param bindings: A mapping, or pairs of key and value with `Inherit` among them; none unless
        given. A key is a name or an attribute path. Keys are printed in alphabetical order.
    :param recursive: True for ``rec { … }``.
    """

    bindings: Bindings = field(default=Bindings(), converter=to_bindings)
    recursive: bool = False


@frozen
class Let(Expr):
    """``let … in body``.

    :param bindings: Bindings as `AttrSet` takes them.
    :param body: Expression that uses the variables.
    """

    bindings: Bindings = field(converter=to_bindings)
    body: Expr


# --- functions ---


@frozen
class Formal:
    """One name of a function's set pattern.

    :param name: Name of the argument.
    :param default: Value of a missing argument. None (the default) makes the argument mandatory.
    """

    name: str = field(validator=identifier)
    default: Expr | None = None


def _formals(formals: Iterable[str | Formal]) -> tuple[Formal, ...]:
    return tuple(Formal(name) if isinstance(name, str) else name for name in formals)


@frozen
class Function(Expr):
    """``{ formals, ... }: body``.

    :param formals: Names of the arguments, or `Formal` objects. Their order is kept.
    :param body: Result of the function.
    :param ellipsis: True for ``...``, which allows further arguments.
    """

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
    """``parameter: body``.

    :param parameter: Name of the argument.
    :param body: Result of the function.
    """

    parameter: str = field(validator=identifier)
    body: Expr


@frozen
class Call(Expr):
    """``function argument argument …``.

    :param function: Expression to call.
    :param arguments: Arguments, one at least.
    """

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
    """``if condition then … else …``.

    :param condition: Expression that decides.
    :param then: Result when the condition is true.
    :param otherwise: Result when the condition is false.
    """

    condition: Expr
    then: Expr
    otherwise: Expr


@frozen
class Not(Expr):
    """``!expr``.

    :param expr: Expression to negate.
    """

    expr: Expr


@frozen
class BinaryOp(Expr):
    """``left operator right``.

    :param operator: One of `OPERATORS`.
    :param left: Left operand.
    :param right: Right operand.
    """

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
    """An expression that many files repeat. Its lines are made once.

    :param expr: Expression to print. It holds no `Mark`, because its lines belong to no single
        file.
    """

    expr: Expr
    lines: dict[tuple[str, str], tuple[str, ...]] = field(factory=dict, init=False, repr=False)
    """The lines without indentation, by the text in front of them and behind them."""
    words: dict[bool, str] = field(factory=dict, init=False, repr=False)
    """The text on one line, by whether several lines are allowed."""


@frozen
class Mark(Expr):
    """An expression with a known origin. The printer reports which lines it took.

    :param expr: Expression to print.
    :param origin: Place in the user's files, or anything else that the caller wants back.
    """

    expr: Expr
    origin: object = field(eq=False)


@frozen
class Commented(Expr):
    """An expression below a comment. The comment stands above the line on which the expression
    begins, above the key if the expression is the value of a binding.

    :param comment: Text of the comment. Each line is printed as ``# …``.
    :param expr: Expression to print.
    """

    comment: str
    expr: Expr
