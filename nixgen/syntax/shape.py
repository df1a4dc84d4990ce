"""Properties of expressions that decide where their lines begin."""

from __future__ import annotations

from nixgen.syntax import nodes as n
from nixgen.syntax.inline import on_lines
from nixgen.syntax.text import fits_indented, is_identifier, path_literal

__all__ = [
    "Operand",
    "bare",
    "chain",
    "is_collection",
    "is_simple",
    "is_spread_text",
    "opens",
    "unwrapped",
]

_WORDS = (n.Null, n.Bool, n.Var, n.Str, n.Interpolation)

#: Operator in front of an operand, the operand, and the least rank that needs no parentheses.
Operand = tuple[str, n.Expr, int]


def bare(node: n.Expr) -> n.Expr:
    """Take the wrappers off an expression.

    :param node: Expression, perhaps in a `Mark` or `Constant`.
    """
    while isinstance(node, n.Mark | n.Constant):
        node = node.expr
    return node


def unwrapped(node: n.Expr) -> tuple[n.Expr, list[object]]:
    """Take the wrappers off an expression.

    :param node: Expression, perhaps in a `Mark` or `Constant`.
    :return: The expression inside, and the origins of its marks, innermost first.
    """
    origins: list[object] = []
    while isinstance(node, n.Mark | n.Constant):
        if isinstance(node, n.Mark):
            origins.insert(0, node.origin)
        node = node.expr
    return node, origins


def is_collection(node: n.Expr) -> bool:
    """Decide if an expression is a list or set that is not empty.

    :param node: Expression to look at.
    """
    node = bare(node)
    return (isinstance(node, n.List) and bool(node.items)) or (
        isinstance(node, n.AttrSet) and bool(node.bindings)
    )


def is_simple(node: n.Expr) -> bool:
    """Decide if nixfmt breaks no line inside an expression, however long it is: a word, or a
    function with one or two simple arguments (``isSimple``).

    :param node: Expression to look at.
    """
    node = bare(node)
    match node:
        case n.Call():
            return len(node.arguments) <= 2 and all(
                map(is_simple, (node.function, *node.arguments))
            )
        case n.Select():
            plain = all(map(is_identifier, node.path))
            return plain and node.default is None and is_simple(node.expr)
        case n.Int() | n.Float():
            return node.value >= 0
        case n.Path():
            return path_literal(node.value)[1] is None
    return isinstance(node, _WORDS)


def opens(node: n.Expr) -> bool:
    """Decide if the first line of an expression may stand at the end of another line, as ``{`` and
    ``[`` may.

    :param node: Expression to look at.
    """
    node = bare(node)
    if is_collection(node):
        return True
    if isinstance(node, n.Lambda):
        return opens(node.body)
    if isinstance(node, n.Call):
        # in parentheses, as an argument: ``f (g {``
        return (
            isinstance(bare(node.function), n.Var)
            and len(node.arguments) == 1
            and is_collection(node.arguments[0])
        )
    return isinstance(node, n.Function) or is_spread_text(node)


def is_spread_text(node: n.Expr) -> bool:
    """Decide if an expression is a string that is printed over several lines.

    :param node: Expression to look at.
    """
    node = bare(node)
    if isinstance(node, n.Str):
        return fits_indented(node.value)
    return isinstance(node, n.Interpolation) and on_lines(node.parts)


def chain(node: n.BinaryOp) -> list[Operand]:
    """The operands of a chain of one operator, such as ``a ++ b ++ c``, whichever way it
    associates.

    :param node: Outermost operation of the chain.
    """
    _, least_left, least_right = n.OPERATORS[node.operator]
    operands: list[Operand] = []
    current: n.Expr = node
    if least_left > least_right:
        while isinstance(current, n.BinaryOp) and current.operator == node.operator:
            operands.append((node.operator, current.left, least_left))
            current = current.right
        operands.append((node.operator, current, least_right))
        return operands
    while isinstance(current, n.BinaryOp) and current.operator == node.operator:
        operands.append((node.operator, current.right, least_right))
        current = current.left
        if least_left == least_right:  # comparisons do not chain
            break
    operands.append((node.operator, current, least_left))
    operands.reverse()
    return operands
