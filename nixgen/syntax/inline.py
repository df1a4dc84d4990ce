"""The one-line form of expressions, and their parentheses.

`flat` returns None for an expression that belongs on several lines. Its kind decides, not its
length: sets with more than one binding, lists with more than one item, ``let``, and text of several
lines. `compact` always returns a line, without comments; antiquotations are printed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

from nixgen.syntax import nodes as n
from nixgen.syntax.bindings import Bindings
from nixgen.syntax.text import (
    INT_MIN,
    attr_name,
    attr_path,
    escape_quoted,
    fits_indented,
    path_literal,
    print_float,
    print_int,
    quoted,
)

__all__ = [
    "ATOMS",
    "CALL",
    "LOWEST",
    "NOT",
    "RANKS",
    "SELECT",
    "Marks",
    "compact",
    "flat",
    "formal_texts",
    "formals_text",
    "inherit_words",
    "on_lines",
    "rank",
    "selectable",
]


class Lines(Enum):
    """Whether an expression may take several lines where these are easier to read."""

    ALLOWED = 1
    REFUSED = 2


ALLOWED: Final = Lines.ALLOWED
REFUSED: Final = Lines.REFUSED


class _SeveralLinesError(Exception):
    """An expression is easier to read on several lines, and may have them."""


Marks = list[object]
"""The origins on the line that is being made. `Page` turns them into spans when it places the
line.
"""

# Ranks: how tightly expressions bind, as in Nix's parser.y. An expression goes into parentheses
# where its surroundings ask for a higher rank.
LOWEST: Final = 0  # if, let, functions: they reach as far to the right as possible
NOT: Final = 7
HAS: Final = 11
NEGATIVE: Final = 12
CALL: Final = 13
SELECT: Final = 14
ATOM: Final = 15

RANKS: Final[dict[type, int]] = {
    **dict.fromkeys((n.Null, n.Bool, n.Str, n.Interpolation, n.Var, n.List, n.AttrSet), ATOM),
    **dict.fromkeys((n.If, n.Let, n.Function, n.Lambda), LOWEST),
    n.HasAttr: HAS,
    n.Call: CALL,
    n.Not: NOT,
}


def rank(node: n.Expr) -> int:
    """How tightly an expression binds, from `LOWEST` to 15.

    :param node: Expression to print.
    """
    fixed = RANKS.get(type(node))
    if fixed is not None:
        return fixed
    match node:
        case n.Constant() | n.Mark() | n.Commented():
            return rank(node.expr)
        # -5 is an operator with an operand; -2^63 is printed with parentheses of its own
        case n.Int():
            return NEGATIVE if INT_MIN < node.value < 0 else ATOM
        case n.Float():
            return NEGATIVE if node.value < 0 else ATOM
        case n.Path():
            return ATOM if path_literal(node.value)[1] is None else n.OPERATORS["+"][0]
        case n.Select():
            # `f a.b or c` is right, but reads wrong.
            return SELECT if node.default is None else CALL
        case n.BinaryOp():
            return n.OPERATORS[node.operator][0]
    raise AssertionError(node)


def flat(node: n.Expr, marks: Marks, least: int = LOWEST) -> str | None:
    """The one-line form of an expression. None where several lines are better; ``marks`` is
    unchanged then.

    :param node: Expression to print.
    :param marks: Gets the origins of the expression.
    :param least: Rank that the surroundings ask for. An expression with a lower rank goes into
        parentheses.
    """
    before = len(marks)
    try:
        return _form(node, marks, least, ALLOWED)
    except _SeveralLinesError:
        del marks[before:]
        return None


def compact(node: n.Expr, marks: Marks, least: int = LOWEST) -> str:
    """The one-line form of any expression, without its comments.

    :param node: Expression to print.
    :param marks: Gets the origins of the expression.
    :param least: Rank that the surroundings ask for.
    """
    return _form(node, marks, least, REFUSED)


def _form(node: n.Expr, marks: Marks, least: int, lines: Lines) -> str:
    text = _FORMS[type(node)](node, marks, lines)
    return text if not least or rank(node) >= least else f"({text})"


def _join(items: Iterable[n.Expr], marks: Marks, least: int, lines: Lines) -> str:
    """The forms of several expressions with spaces between them."""
    return " ".join([_form(item, marks, least, lines) for item in items])


# --- forms without parts ---


def _path(node: n.Path, *_context: object) -> str:
    literal, rest = path_literal(node.value)
    return literal if rest is None else f"{literal} + {quoted(rest)}"


ATOMS: Final[dict[type, Callable[..., str]]] = {
    n.Null: lambda _node, *_context: "null",
    n.Bool: lambda node, *_context: "true" if node.value else "false",
    n.Int: lambda node, *_context: print_int(node.value),
    n.Float: lambda node, *_context: print_float(node.value),
    n.Var: lambda node, *_context: node.name,
    n.Path: _path,
}
"""The forms of expressions that are printed the same way everywhere."""


# --- strings ---


def on_lines(parts: tuple[str | n.Expr, ...]) -> bool:
    """Decide if a string with antiquotations is printed over several lines.

    :param parts: Texts and expressions of the string.
    """
    for part in parts:
        if type(part) is str and "\n" in part:
            break
    else:
        return False
    return fits_indented("".join([part if isinstance(part, str) else "x" for part in parts]))


def _str(node: n.Str, _marks: Marks, lines: Lines) -> str:
    value = node.value
    if lines is ALLOWED and "\n" in value and fits_indented(value):
        raise _SeveralLinesError
    return quoted(value)


def _interpolation(node: n.Interpolation, marks: Marks, lines: Lines) -> str:
    if lines is ALLOWED and on_lines(node.parts):
        raise _SeveralLinesError
    last = len(node.parts) - 1
    # texts are never neighbours, so an antiquotation follows each text but the last
    body = [
        escape_quoted(part, before_antiquotation=position < last)
        if isinstance(part, str)
        else f"${{{compact(part, marks)}}}"
        for position, part in enumerate(node.parts)
    ]
    return f'"{"".join(body)}"'


# --- names ---


def selectable(node: n.Select) -> bool:
    """Decide if the base of a selection stands before the dot without parentheses.

    A number would take the dot for its own, and a path the name. Two selections are joined only
    where neither has a default: ``(a.b).c or d`` fails without ``a.b``, while ``a.b.c or d`` is
    ``d``.

    :param node: Selection to print.
    """
    base = node.expr
    if type(base) is n.Var:  # nearly always
        return True
    while isinstance(base, n.Mark | n.Commented | n.Constant):
        base = base.expr
    if isinstance(base, n.Select):
        return base.default is None and node.default is None
    return isinstance(base, n.Var | n.AttrSet)


def _select(node: n.Select, marks: Marks, lines: Lines) -> str:
    base = _form(node.expr, marks, LOWEST, lines)
    text = f"{base if selectable(node) else f'({base})'}.{attr_path(node.path)}"
    if node.default is None:
        return text
    return f"{text} or {_form(node.default, marks, SELECT, lines)}"


def _has_attr(node: n.HasAttr, marks: Marks, lines: Lines) -> str:
    return f"{_form(node.expr, marks, HAS + 1, lines)} ? {attr_path(node.path)}"


# --- collections ---


def _list(node: n.List, marks: Marks, lines: Lines) -> str:
    if not node.items:
        return "[ ]"
    if len(node.items) > 1 and lines is ALLOWED:
        raise _SeveralLinesError
    return f"[ {_join(node.items, marks, SELECT, lines)} ]"


def _attr_set(node: n.AttrSet, marks: Marks, lines: Lines) -> str:
    start = "rec {" if node.recursive else "{"
    if not node.bindings:
        return f"{start} }}"
    if lines is ALLOWED and not _is_plain(node.bindings):
        raise _SeveralLinesError
    return f"{start} {_bindings(node.bindings, marks)} }}"


def _is_plain(bindings: Bindings) -> bool:
    """Decide if a set is easy to read on one line: it has one binding, whose value is no set and no
    list.
    """
    if bindings.inherits or len(bindings.pairs) != 1:
        return not bindings.pairs and len(bindings.inherits) == 1
    value = bindings.pairs[0][1]
    while isinstance(value, n.Mark | n.Constant):
        value = value.expr
    return type(value) in ATOMS or (isinstance(value, n.Str) and not fits_indented(value.value))


def _bindings(bindings: Bindings, marks: Marks) -> str:
    texts = [f"{' '.join(inherit_words(inherit, marks))};" for inherit in bindings.inherits]
    texts += [f"{key} = {compact(value, marks)};" for key, value in bindings.pairs]
    return " ".join(texts)


def inherit_words(node: n.Inherit, marks: Marks) -> list[str]:
    """The words of an ``inherit``: the keyword with its source, then the names.

    :param node: Statement to print.
    :param marks: Gets the origins of the source.
    """
    source = "" if node.source is None else f" ({compact(node.source, marks)})"
    return [f"inherit{source}", *map(attr_name, node.names)]


def _let(node: n.Let, marks: Marks, lines: Lines) -> str:
    if lines is ALLOWED:
        raise _SeveralLinesError
    start = f"let {_bindings(node.bindings, marks)}".rstrip()
    return f"{start} in {compact(node.body, marks)}"


# --- functions ---


def formal_texts(node: n.Function, marks: Marks) -> list[str]:
    """The formals of a function, each with its default, and ``...`` at the end.

    :param node: Function to print.
    :param marks: Gets the origins of the defaults.
    """
    texts = [
        formal.name
        if formal.default is None
        else f"{formal.name} ? {compact(formal.default, marks)}"
        for formal in node.formals
    ]
    return [*texts, "..."] if node.ellipsis else texts


def formals_text(formals: list[str]) -> str:
    """The set pattern of a function on one line: ``{ a, b, ... }:``.

    :param formals: Texts as `formal_texts` returns them.
    """
    return f"{{ {', '.join(formals)} }}:" if formals else "{ }:"


def _function(node: n.Function, marks: Marks, lines: Lines) -> str:
    if lines is ALLOWED:
        raise _SeveralLinesError
    return f"{formals_text(formal_texts(node, marks))} {compact(node.body, marks)}"


def _lambda(node: n.Lambda, marks: Marks, lines: Lines) -> str:
    return f"{node.parameter}: {_form(node.body, marks, LOWEST, lines)}"


def _call(node: n.Call, marks: Marks, lines: Lines) -> str:
    function = _form(node.function, marks, CALL, lines)
    return f"{function} {_join(node.arguments, marks, SELECT, lines)}"


# --- operators ---


def _if(node: n.If, marks: Marks, lines: Lines) -> str:
    condition = _form(node.condition, marks, LOWEST, lines)
    then = _form(node.then, marks, LOWEST, lines)
    otherwise = _form(node.otherwise, marks, LOWEST, lines)
    return f"if {condition} then {then} else {otherwise}"


def _not(node: n.Not, marks: Marks, lines: Lines) -> str:
    return f"!{_form(node.expr, marks, NOT, lines)}"


def _binary(node: n.BinaryOp, marks: Marks, lines: Lines) -> str:
    _, least_left, least_right = n.OPERATORS[node.operator]
    left = _form(node.left, marks, least_left, lines)
    right = _form(node.right, marks, least_right, lines)
    return f"{left} {node.operator} {right}"


# --- wrappers ---


def _mark(node: n.Mark, marks: Marks, lines: Lines) -> str:
    marks.append(node.origin)
    return _FORMS[type(node.expr)](node.expr, marks, lines)


def _constant(node: n.Constant, marks: Marks, lines: Lines) -> str:
    several = lines is ALLOWED
    if several not in node.words:
        node.words[several] = _FORMS[type(node.expr)](node.expr, marks, lines)
    return node.words[several]


def _commented(node: n.Commented, marks: Marks, lines: Lines) -> str:
    if lines is ALLOWED:
        raise _SeveralLinesError
    return _FORMS[type(node.expr)](node.expr, marks, lines)


_FORMS: Final[dict[type, Callable[[Any, Marks, Lines], str]]] = {
    **ATOMS,
    n.AttrSet: _attr_set,
    n.BinaryOp: _binary,
    n.Call: _call,
    n.Commented: _commented,
    n.Constant: _constant,
    n.Function: _function,
    n.HasAttr: _has_attr,
    n.If: _if,
    n.Interpolation: _interpolation,
    n.Lambda: _lambda,
    n.Let: _let,
    n.List: _list,
    n.Mark: _mark,
    n.Not: _not,
    n.Select: _select,
    n.Str: _str,
}
