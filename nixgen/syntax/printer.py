"""The layout of Nix text: two spaces, 100 columns, as RFC 166 and nixfmt have it.

Every node is laid out by one function ``(printer, node, pad, head, tail)``. It appends whole lines;
the first starts with ``pad + head``, the last ends with ``tail``. A binding is thus its value with the
head ``key = `` and the tail ``;``, and nothing that was printed is ever touched or copied again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from nixgen.errors import UnprintableError
from nixgen.syntax import nodes as n
from nixgen.syntax.inline import (
    ATOMS,
    CALL,
    NOT,
    OPERATORS,
    SELECT,
    Marks,
    compact,
    flat,
    formal_texts,
    formals_text,
    inherit_words,
    needs_parentheses,
    selectable,
    skeleton,
)
from nixgen.syntax.text import (
    attr_path,
    comment_lines,
    escape_indented,
    fits_indented,
    quoted,
)

__all__ = ["Printed", "Span", "print_expr", "print_file"]

WIDTH: Final = 100
STEP: Final = "  "

Span = tuple[int, int, object]
"""First line, last line (from 1, inclusive), origin."""


@frozen
class Printed:
    """A file's text, and which of its lines come from where, outer spans first."""

    text: str
    spans: tuple[Span, ...]

    def origin(self, line: int) -> object | None:
        """The origin of the innermost span around a line."""
        found = None
        for first, last, origin in self.spans:
            if first > line:
                break
            if line <= last:
                found = origin
        return found


def print_expr(expr: n.Expr, indent: int = 0) -> str:
    """The text of an expression, without a final newline; every line is indented by ``indent``."""
    printer = _Printer()
    printer.emit(expr, " " * indent)
    return "\n".join(printer.lines)


def print_file(expr: n.Expr, *, comment: str = "") -> Printed:
    """The text of a file that holds one expression, below ``# …`` lines."""
    printer = _Printer(spaced=True)
    printer.lines.extend(comment_lines(comment))
    printer.emit(expr, "")
    printer.spans.sort(key=lambda span: (span[0], -span[1]))
    return Printed("\n".join(printer.lines) + "\n", tuple(printer.spans))


class _Printer:
    """Lines made so far, the spans over them, and the marks that wait for their line."""

    __slots__ = ("lines", "marks", "spaced", "spans")

    def __init__(self, *, spaced: bool = False) -> None:
        self.lines: list[str] = []
        self.spans: list[Span] = []
        self.marks: Marks = []
        self.spaced = spaced

    def emit(self, expr: n.Expr, pad: str) -> None:
        try:
            _LAYOUTS[type(expr)](self, expr, pad, "", "")
        except RecursionError:
            raise UnprintableError(
                "the expression is nested too deeply to print",
                hint="flatten it, or keep it in a JSON file read with builtins.fromJSON",
            ) from None

    def place(self, line: str) -> None:
        self.lines.append(line)
        if self.marks:
            self.settle(len(self.lines), len(self.lines))

    def settle(self, first: int, last: int) -> None:
        self.spans.extend((first, last, origin) for origin in self.marks)
        self.marks.clear()


def _lay(printer: _Printer, node: n.Expr, pad: str, head: str, tail: str) -> None:
    _LAYOUTS[type(node)](printer, node, pad, head, tail)


def _place_flat(printer: _Printer, text: str, pad: str, head: str, tail: str) -> None:
    """A one-line form, below its key if it does not fit beside it."""
    line = f"{pad}{head}{text}{tail}"
    if len(line) > WIDTH and head[-3:] == " = ":
        printer.lines.append(pad + head[:-1])
        line = f"{pad}{STEP}{text}{tail}"
    printer.place(line)


def _fits(text: str, pad: str, head: str, tail: str) -> bool:
    return len(pad) + len(head) + len(text) + len(tail) <= WIDTH


def _below(printer: _Printer, pad: str, head: str) -> str:
    """Leave the head on a line of its own; what follows gets the returned padding."""
    if not head:
        return pad
    printer.place(pad + head.rstrip())
    return pad + STEP


def _operand(  # noqa: PLR0917 (the layout signature and a rank)
    printer: _Printer, node: n.Expr, least: int, pad: str, head: str, tail: str
) -> None:
    """An expression of at least a rank, in parentheses if it is looser."""
    if needs_parentheses(node, least):
        _parenthesised(printer, node, pad, head, tail)
    else:
        _lay(printer, node, pad, head, tail)


def _parenthesised(printer: _Printer, node: n.Expr, pad: str, head: str, tail: str) -> None:
    text = flat(node, printer.marks)
    if text is not None and _fits(text, pad, head, f"(){tail}"):
        printer.place(f"{pad}{head}({text}){tail}")
    elif isinstance(node, n.Lambda | n.Call):
        _lay(printer, node, pad, f"{head}(", f"){tail}")
    else:
        printer.marks.clear()
        printer.place(f"{pad}{head}(")
        _lay(printer, node, pad + STEP, "", "")
        printer.place(f"{pad}){tail}")


# --- atoms and strings ---


def _atom(form: Callable[[Any], str]) -> Callable[[_Printer, Any, str, str, str], None]:
    def lay(printer: _Printer, node: n.Expr, pad: str, head: str, tail: str) -> None:
        _place_flat(printer, form(node), pad, head, tail)

    return lay


def _str(printer: _Printer, node: n.Str, pad: str, head: str, tail: str) -> None:
    text = node.value
    if "\n" in text and fits_indented(text):
        body = escape_indented(text, before_antiquotation=False)
        _indented(printer, body, pad, head, tail)
    else:
        _place_flat(printer, quoted(text), pad, head, tail)


def _interpolation(
    printer: _Printer, node: n.Interpolation, pad: str, head: str, tail: str
) -> None:
    if not fits_indented(skeleton(node.parts)):
        _place_flat(printer, compact(node, printer.marks), pad, head, tail)
        return
    last = len(node.parts) - 1
    body = "".join(
        escape_indented(part, before_antiquotation=position < last)
        if isinstance(part, str)
        else f"${{{compact(part, printer.marks)}}}"
        for position, part in enumerate(node.parts)
    )
    _indented(printer, body, pad, head, tail)


def _indented(printer: _Printer, body: str, pad: str, head: str, tail: str) -> None:
    inner = pad + STEP
    first = len(printer.lines) + 1
    *lines, last = body.split("\n")
    printer.lines.append(f"{pad}{head}''")
    printer.lines.extend([inner + line if line else "" for line in lines])
    printer.lines.append(f"{inner}{last}''{tail}" if last else f"{pad}''{tail}")
    if printer.marks:
        printer.settle(first, len(printer.lines))


# --- names ---


def _select(printer: _Printer, node: n.Select, pad: str, head: str, tail: str) -> None:
    text = flat(node, printer.marks)
    if text is not None:
        _place_flat(printer, text, pad, head, tail)
        return
    end = f".{attr_path(node.path)}"
    if node.default is not None:
        end += f" or {compact(node.default, printer.marks, SELECT)}"
    if selectable(node.expr):
        _lay(printer, node.expr, pad, head, end + tail)
    else:
        _parenthesised(printer, node.expr, pad, head, end + tail)


def _has_attr(printer: _Printer, node: n.HasAttr, pad: str, head: str, tail: str) -> None:
    _place_flat(printer, compact(node, printer.marks), pad, head, tail)


# --- collections ---


def _list(printer: _Printer, node: n.List, pad: str, head: str, tail: str) -> None:
    if len(node.items) < 2:
        text = flat(node, printer.marks)
        if text is not None and _fits(text, pad, head, tail):
            printer.place(f"{pad}{head}{text}{tail}")
            return
        printer.marks.clear()
    inner = pad + STEP
    printer.place(f"{pad}{head}[")
    for item in node.items:
        _operand(printer, item, SELECT, inner, "", "")
    printer.lines.append(f"{pad}]{tail}")


def _attr_set(printer: _Printer, node: n.AttrSet, pad: str, head: str, tail: str) -> None:
    start = "rec {" if node.recursive else "{"
    bindings = node.bindings
    if not bindings:
        printer.place(f"{pad}{head}{start} }}{tail}")
        return
    # In a list or as an argument, one short binding stays on the line; below a key it never does.
    if len(bindings) == 1 and head[-3:] != " = ":
        text = flat(node, printer.marks)
        if text is not None and _fits(text, pad, head, tail):
            printer.place(f"{pad}{head}{text}{tail}")
            return
        printer.marks.clear()
    printer.place(f"{pad}{head}{start}")
    _bindings(printer, bindings, pad + STEP, spaced=printer.spaced and not pad and not head)
    printer.lines.append(f"{pad}}}{tail}")


def _bindings(printer: _Printer, bindings: n.Bindings, pad: str, *, spaced: bool = False) -> None:
    """:param spaced: the outermost set of a file is read in paragraphs: blank lines around blocks."""
    after_block = None
    for binding in bindings:
        if spaced:
            block = _is_block(binding)
            if after_block is not None and (block or after_block):
                printer.lines.append("")
            after_block = block
        if isinstance(binding, n.Inherit):
            _inherit(printer, binding, pad)
        else:
            key, value = binding
            _LAYOUTS[type(value)](printer, value, pad, f"{attr_path(key)} = ", ";")


def _is_block(binding: n.Inherit | n.Binding) -> bool:
    if isinstance(binding, n.Inherit):
        return False
    value = binding[1]
    while isinstance(value, n.Mark):
        value = value.expr
    return bool(isinstance(value, n.AttrSet) and value.bindings) or flat(value, []) is None


def _inherit(printer: _Printer, node: n.Inherit, pad: str) -> None:
    head, *names = inherit_words(node, printer.marks)
    text = " ".join((head, *names))
    if _fits(text, pad, "", ";"):
        printer.place(f"{pad}{text};")
        return
    printer.place(pad + head)
    printer.lines.extend(f"{pad}{STEP}{name}" for name in names)
    printer.lines.append(f"{pad}{STEP};")


def _let(printer: _Printer, node: n.Let, pad: str, head: str, tail: str) -> None:
    pad = _below(printer, pad, head)
    printer.lines.append(f"{pad}let")
    _bindings(printer, node.bindings, pad + STEP)
    printer.lines.append(f"{pad}in")
    _lay(printer, node.body, pad, "", tail)


# --- functions ---


def _function(printer: _Printer, node: n.Function, pad: str, head: str, tail: str) -> None:
    pad = _below(printer, pad, head)
    formals = formal_texts(node, printer.marks)
    text = formals_text(formals)
    if _fits(text, pad, "", ""):
        printer.place(pad + text)
    else:
        printer.place(f"{pad}{{")
        ends = [","] * (len(formals) - 1) + ["" if node.ellipsis else ","]
        printer.lines.extend(
            f"{pad}{STEP}{formal}{end}" for formal, end in zip(formals, ends, strict=True)
        )
        printer.lines.append(f"{pad}}}:")
    _lay(printer, node.body, pad, "", tail)


def _lambda(printer: _Printer, node: n.Lambda, pad: str, head: str, tail: str) -> None:
    text = flat(node, printer.marks)
    if text is not None and _fits(text, pad, head, tail):
        printer.place(f"{pad}{head}{text}{tail}")
        return
    printer.marks.clear()
    _lay(printer, node.body, pad, f"{head}{node.parameter}: ", tail)


def _call(printer: _Printer, node: n.Call, pad: str, head: str, tail: str) -> None:
    """On one line, or with the last argument opening at the end of the line, or one per line."""
    text = flat(node, printer.marks)
    if text is not None and _fits(text, pad, head, tail):
        printer.place(f"{pad}{head}{text}{tail}")
        return
    printer.marks.clear()
    *leading, last = node.arguments
    if _opens(last):
        lead = flat(
            n.Call(node.function, leading) if leading else node.function, printer.marks, CALL
        )
        if lead is not None and _fits(lead, pad, head, " {"):
            if printer.marks:
                printer.settle(len(printer.lines) + 1, len(printer.lines) + 1)
            _operand(printer, last, SELECT, pad, f"{head}{lead} ", tail)
            return
        printer.marks.clear()
    pad = _below(printer, pad, head)
    _operand(printer, node.function, CALL, pad, "", "")
    for argument in leading:
        _operand(printer, argument, SELECT, pad + STEP, "", "")
    _operand(printer, last, SELECT, pad + STEP, "", tail)


def _opens(node: n.Expr) -> bool:
    """Whether a node's first line may stand at the end of another, as ``{`` and ``[`` may."""
    while isinstance(node, n.Mark):
        node = node.expr
    if isinstance(node, n.AttrSet):
        return bool(node.bindings)
    if isinstance(node, n.List):
        return bool(node.items)
    if isinstance(node, n.Lambda):
        return _opens(node.body)
    if isinstance(node, n.Call):
        return _opens(node.arguments[-1])
    if isinstance(node, n.Str):
        return fits_indented(node.value)
    return isinstance(node, n.Function) or (
        isinstance(node, n.Interpolation) and fits_indented(skeleton(node.parts))
    )


# --- operators ---


def _if(printer: _Printer, node: n.If, pad: str, head: str, tail: str) -> None:
    text = flat(node, printer.marks)
    if text is not None and _fits(text, pad, head, tail):
        printer.place(f"{pad}{head}{text}{tail}")
        return
    printer.marks.clear()
    pad = _below(printer, pad, head)
    start = "if "
    current: n.Expr = node
    while isinstance(current, n.If):
        printer.place(f"{pad}{start}{compact(current.condition, printer.marks)} then")
        _lay(printer, current.then, pad + STEP, "", "")
        start, current = "else if ", current.otherwise
    printer.lines.append(f"{pad}else")
    _lay(printer, current, pad + STEP, "", tail)


def _not(printer: _Printer, node: n.Not, pad: str, head: str, tail: str) -> None:
    _operand(printer, node.expr, NOT, pad, f"{head}!", tail)


def _binary(printer: _Printer, node: n.BinaryOp, pad: str, head: str, tail: str) -> None:
    """On one line, or one operand per line, operators first."""
    text = flat(node, printer.marks)
    if text is not None and _fits(text, pad, head, tail):
        printer.place(f"{pad}{head}{text}{tail}")
        return
    printer.marks.clear()
    pad = _below(printer, pad, head)
    operands = _chain(node)
    last = len(operands) - 1
    for position, (operator, operand, least) in enumerate(operands):
        start = f"{operator} " if position else ""
        _operand(printer, operand, least, pad, start, tail if position == last else "")


def _chain(node: n.BinaryOp) -> list[tuple[str, n.Expr, int]]:
    """``a ++ b ++ c`` as its operands, however it associates: operator in front, operand, least rank."""
    _, least_left, least_right = OPERATORS[node.operator]
    operands: list[tuple[str, n.Expr, int]] = []
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


# --- wrappers ---


def _mark(printer: _Printer, node: n.Mark, pad: str, head: str, tail: str) -> None:
    first = len(printer.lines) + 1
    inner = node.expr
    _LAYOUTS[type(inner)](printer, inner, pad, head, tail)
    printer.spans.append((first, len(printer.lines), node.origin))


def _commented(printer: _Printer, node: n.Commented, pad: str, head: str, tail: str) -> None:
    printer.lines.extend(pad + line for line in comment_lines(node.comment))
    _lay(printer, node.expr, pad, head, tail)


_LAYOUTS: Final[dict[type, Callable[[_Printer, Any, str, str, str], None]]] = {
    **{kind: _atom(form) for kind, form in ATOMS.items()},
    n.AttrSet: _attr_set,
    n.BinaryOp: _binary,
    n.Call: _call,
    n.Commented: _commented,
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
