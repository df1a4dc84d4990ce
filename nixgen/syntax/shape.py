"""What can be told of a node before it is laid out, and decides where its lines begin."""

from __future__ import annotations

from nixgen.syntax import nodes as n
from nixgen.syntax.inline import OPERATORS, on_lines
from nixgen.syntax.text import fits_indented

__all__ = ["Operand", "bare", "chain", "is_collection", "is_simple", "is_spread_text", "opens"]

#: Operator in front, the operand itself, the least rank that needs no parentheses.
Operand = tuple[str, n.Expr, int]


def bare(node: n.Expr) -> n.Expr:
    while isinstance(node, n.Mark | n.Constant):
        node = node.expr
    return node


def is_collection(node: n.Expr) -> bool:
    node = bare(node)
    return (isinstance(node, n.List) and bool(node.items)) or (
        isinstance(node, n.AttrSet) and bool(node.bindings)
    )


def is_simple(node: n.Call) -> bool:
    """What takes no line breaks, however long it is: a function with one or two words."""
    return len(node.arguments) <= 2 and all(map(_is_word, (node.function, *node.arguments)))


def _is_word(node: n.Expr) -> bool:
    node = bare(node)
    if isinstance(node, n.Select):
        return node.default is None and _is_word(node.expr)
    return isinstance(node, n.Var | n.Str | n.Interpolation | n.Path)


def opens(node: n.Expr) -> bool:
    """Whether a node's first line may stand at the end of another, as ``{`` and ``[`` may."""
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
    """Whether a node is a string that is printed over several lines."""
    node = bare(node)
    if isinstance(node, n.Str):
        return fits_indented(node.value)
    return isinstance(node, n.Interpolation) and on_lines(node.parts)


def chain(node: n.BinaryOp) -> list[Operand]:
    """``a ++ b ++ c`` as its operands, however it associates: operator in front, operand, least rank."""
    _, least_left, least_right = OPERATORS[node.operator]
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
