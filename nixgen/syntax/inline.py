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
    "OPERATORS",
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

# operator: its own rank, then the least rank of its left and of its right operand
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
            return ATOM if path_literal(node.value)[1] is None else OPERATORS["+"][0]
        case n.Select():
            # `f a.b or c` is right, but reads wrong.
            return SELECT if node.default is None else CALL
        case n.BinaryOp():
            return OPERATORS[node.operator][0]
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
    text = _form(node, marks, least, ALLOWED)
    if text is None:
        del marks[before:]
    return text


def compact(node: n.Expr, marks: Marks, least: int = LOWEST) -> str:
    """The one-line form of any expression, without its comments.

    :param node: Expression to print.
    :param marks: Gets the origins of the expression.
    :param least: Rank that the surroundings ask for.
    """
    text = _form(node, marks, least, REFUSED)
    if text is None:
        raise AssertionError(node)
    return text


def _form(node: n.Expr, marks: Marks, least: int, lines: Lines) -> str | None:
    text = _FORMS[type(node)](node, marks, lines)
    if text is None or not least or rank(node) >= least:
        return text
    return f"({text})"


def _join(
    items: Iterable[n.Expr],
    marks: Marks,
    least: int,
    lines: Lines,
) -> str | None:
    """The forms of several expressions with spaces between them."""
    texts = []
    for item in items:
        text = _form(item, marks, least, lines)
        if text is None:
            return None
        texts.append(text)
    return " ".join(texts)


# --- forms without parts ---


def _null(_node: n.Null, *_context: object) -> str:
    return "null"


def _bool(node: n.Bool, *_context: object) -> str:
    return "true" if node.value else "false"


def _int(node: n.Int, *_context: object) -> str:
    return print_int(node.value)


def _float(node: n.Float, *_context: object) -> str:
    return print_float(node.value)


def _var(node: n.Var, *_context: object) -> str:
    return node.name


def _path(node: n.Path, *_context: object) -> str:
    literal, rest = path_literal(node.value)
    return literal if rest is None else f"{literal} + {quoted(rest)}"


ATOMS: Final[dict[type, Callable[..., str]]] = {
    n.Null: _null,
    n.Bool: _bool,
    n.Int: _int,
    n.Float: _float,
    n.Var: _var,
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


def _str(node: n.Str, _marks: Marks, lines: Lines) -> str | None:
    value = node.value
    if lines is ALLOWED and "\n" in value and fits_indented(value):
        return None
    return quoted(value)


def _interpolation(node: n.Interpolation, marks: Marks, lines: Lines) -> str | None:
    if lines is ALLOWED and on_lines(node.parts):
        return None
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


def _select(node: n.Select, marks: Marks, lines: Lines) -> str | None:
    base = _form(node.expr, marks, LOWEST, lines)
    if base is None:
        return None
    text = f"{base if selectable(node) else f'({base})'}.{attr_path(node.path)}"
    if node.default is None:
        return text
    default = _form(node.default, marks, SELECT, lines)
    return None if default is None else f"{text} or {default}"


def _has_attr(node: n.HasAttr, marks: Marks, lines: Lines) -> str | None:
    base = _form(node.expr, marks, HAS + 1, lines)
    return None if base is None else f"{base} ? {attr_path(node.path)}"


# --- collections ---


def _list(node: n.List, marks: Marks, lines: Lines) -> str | None:
    if not node.items:
        return "[ ]"
    if len(node.items) > 1 and lines is ALLOWED:
        return None
    items = _join(node.items, marks, SELECT, lines)
    return None if items is None else f"[ {items} ]"


def _attr_set(node: n.AttrSet, marks: Marks, lines: Lines) -> str | None:
    start = "rec {" if node.recursive else "{"
    if not node.bindings:
        return f"{start} }}"
    if lines is ALLOWED and not _is_plain(node.bindings):
        return None
    return f"{start} {_bindings(node.bindings, marks)} }}"


def _is_plain(bindings: n.Bindings) -> bool:
    """Decide if a set is easy to read on one line: it has one binding, whose value is no set and no
    list.
    """
    if bindings.inherits or len(bindings.pairs) != 1:
        return not bindings.pairs and len(bindings.inherits) == 1
    value = bindings.pairs[0][1]
    while isinstance(value, n.Mark | n.Constant):
        value = value.expr
    return type(value) in ATOMS or (isinstance(value, n.Str) and not fits_indented(value.value))


def _bindings(bindings: n.Bindings, marks: Marks) -> str:
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


def _let(node: n.Let, marks: Marks, lines: Lines) -> str | None:
    if lines is ALLOWED:
        return None
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


def _function(node: n.Function, marks: Marks, lines: Lines) -> str | None:
    if lines is ALLOWED:
        return None
    return f"{formals_text(formal_texts(node, marks))} {compact(node.body, marks)}"


def _lambda(node: n.Lambda, marks: Marks, lines: Lines) -> str | None:
    body = _form(node.body, marks, LOWEST, lines)
    return None if body is None else f"{node.parameter}: {body}"


def _call(node: n.Call, marks: Marks, lines: Lines) -> str | None:
    function = _form(node.function, marks, CALL, lines)
    if function is None:
        return None
    arguments = _join(node.arguments, marks, SELECT, lines)
    return None if arguments is None else f"{function} {arguments}"


# --- operators ---


def _if(node: n.If, marks: Marks, lines: Lines) -> str | None:
    condition = _form(node.condition, marks, LOWEST, lines)
    if condition is None:
        return None
    then = _form(node.then, marks, LOWEST, lines)
    if then is None:
        return None
    otherwise = _form(node.otherwise, marks, LOWEST, lines)
    return None if otherwise is None else f"if {condition} then {then} else {otherwise}"


def _not(node: n.Not, marks: Marks, lines: Lines) -> str | None:
    text = _form(node.expr, marks, NOT, lines)
    return None if text is None else f"!{text}"


def _binary(node: n.BinaryOp, marks: Marks, lines: Lines) -> str | None:
    _, least_left, least_right = OPERATORS[node.operator]
    left = _form(node.left, marks, least_left, lines)
    if left is None:
        return None
    right = _form(node.right, marks, least_right, lines)
    return None if right is None else f"{left} {node.operator} {right}"


# --- wrappers ---


def _mark(node: n.Mark, marks: Marks, lines: Lines) -> str | None:
    marks.append(node.origin)
    return _FORMS[type(node.expr)](node.expr, marks, lines)


def _constant(node: n.Constant, marks: Marks, lines: Lines) -> str | None:
    several = lines is ALLOWED
    if several not in node.words:
        node.words[several] = _FORMS[type(node.expr)](node.expr, marks, lines)
    return node.words[several]


def _commented(node: n.Commented, marks: Marks, lines: Lines) -> str | None:
    return _FORMS[type(node.expr)](node.expr, marks, lines) if lines is REFUSED else None


_FORMS: Final[dict[type, Callable[[Any, Marks, Lines], str | None]]] = {
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
