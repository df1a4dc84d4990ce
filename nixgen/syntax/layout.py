"""The layout of Nix text, as RFC 166 and nixfmt define it: two spaces of indentation, 100 columns.

Each kind of node has one function ``(page, node, pad, head, tail)``. It appends whole lines: the
first begins with ``pad + head``, the last ends with ``tail``. So a binding is its value with the
head ``key = `` and the tail ``;``. No line is changed or copied after it is appended.

The forms follow nixfmt's ``src/Nixfmt/Pretty.hs``, whose names stand in the comments here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nixgen.syntax import nodes as n
from nixgen.syntax.bindings import Bindings
from nixgen.syntax.inline import (
    ATOMS,
    CALL,
    NOT,
    SELECT,
    compact,
    flat,
    formal_texts,
    formals_text,
    inherit_words,
    on_lines,
    rank,
    selectable,
)
from nixgen.syntax.page import STEP, WIDTH, Page
from nixgen.syntax.shape import (
    Operand,
    bare,
    chain,
    is_collection,
    is_simple,
    is_spread_text,
    opens,
    unwrapped,
)
from nixgen.syntax.text import (
    attr_path,
    comment_lines,
    escape_indented,
    fits_indented,
    has_escapes,
    quoted,
)

__all__ = ["layout"]

#: More inherited names than this stand on a line each.
_INHERITED_ON_A_LINE: Final = 3
_FORMALS_ON_A_LINE: Final = 2
#: Operators that join two sets, lists or texts.
_COMBINING: Final = frozenset({"++", "//", "+"})
#: Operands that stand on one line, however wide they are.
_UNBROKEN: Final = (n.Var, n.Select, n.Str, n.Interpolation)
#: Keys of at most this many plain names are short: a value beside them stays there, however long
#: the line becomes (``absorbRHS``).
_SHORT_KEY: Final = 4
#: A key of fewer columns leaves room for the beginning of any value beside it.
_WIDE_KEY: Final = WIDTH - len(" = rec {")


def layout(page: Page, node: n.Expr, pad: str, head: str = "", tail: str = "") -> None:
    """Append the lines of an expression.

    :param page: Page to append to.
    :param node: Expression to print.
    :param pad: Indentation of each line.
    :param head: Text before the expression, such as ``key = ``; none unless given.
    :param tail: Text behind the expression; none unless given.
    """
    _LAYOUTS[type(node)](page, node, pad, head, tail)


def _operand(  # noqa: PLR0917 (the layout signature and a rank)
    page: Page, node: n.Expr, least: int, pad: str, head: str, tail: str
) -> None:
    """Lay out an expression, in parentheses if its rank is lower than ``least``."""
    if rank(node) < least:
        _parenthesised(page, node, pad, head, tail)
    else:
        layout(page, node, pad, head, tail)


def _parenthesised(page: Page, node: n.Expr, pad: str, head: str, tail: str) -> None:
    if page.place_if_flat(node, pad, f"{head}(", f"){tail}"):
        return
    if isinstance(bare(node), n.Lambda | n.Call):
        layout(page, node, pad, f"{head}(", f"){tail}")
    else:
        _between_parentheses(page, node, pad, head, tail)


def _between_parentheses(page: Page, node: n.Expr, pad: str, head: str, tail: str) -> None:
    page.place(f"{pad}{head}(")
    layout(page, node, pad + STEP)
    page.place(f"{pad}){tail}")


# --- atoms and strings ---


def _atom(form: Callable[[Any], str]) -> Callable[[Page, Any, str, str, str], None]:
    def lay(page: Page, node: n.Expr, pad: str, head: str, tail: str) -> None:
        page.place_flat(form(node), pad, head, tail)

    return lay


def _path(page: Page, node: n.Path, pad: str, head: str, tail: str) -> None:
    # some paths are a literal and a string
    place = _beside if is_simple(node) else Page.place_flat
    place(page, compact(node, page.marks), pad, head, tail)


def _str(page: Page, node: n.Str, pad: str, head: str, tail: str) -> None:
    text = node.value
    if has_escapes(text) is None:
        line = f'{pad}{head}"{text}"{tail}'
        if len(line) - len(pad) <= WIDTH:
            page.place(line)
        else:
            _beside(page, f'"{text}"', pad, head, tail)
    elif "\n" in text and fits_indented(text):
        body = escape_indented(text, before_antiquotation=False)
        _indented(page, body, pad, head, tail)
    else:
        _beside(page, quoted(text), pad, head, tail)


def _beside(page: Page, text: str, pad: str, head: str, tail: str) -> None:
    """Place text beside a short key, however long it is: a line break would shorten the line by few
    columns only.
    """
    if _is_long(head):
        page.place_flat(text, pad, head, tail)
    else:
        page.place(f"{pad}{head}{text}{tail}")


def _interpolation(page: Page, node: n.Interpolation, pad: str, head: str, tail: str) -> None:
    if not on_lines(node.parts):
        _beside(page, compact(node, page.marks), pad, head, tail)
        return
    last = len(node.parts) - 1
    body = [
        escape_indented(part, before_antiquotation=position < last)
        if isinstance(part, str)
        else f"${{{compact(part, page.marks)}}}"
        for position, part in enumerate(node.parts)
    ]
    _indented(page, "".join(body), pad, head, tail)


def _is_long(key: str) -> bool:
    return '"' in key or key.count(".") >= _SHORT_KEY


def _indented(page: Page, body: str, pad: str, head: str, tail: str) -> None:
    inner = pad + STEP
    first = len(page.lines) + 1
    *lines, last = body.split("\n")
    page.lines.append(f"{pad}{head}''")
    page.lines.extend([inner + line if line else "" for line in lines])
    page.lines.append(f"{inner}{last}''{tail}" if last else f"{pad}''{tail}")
    if page.marks:
        page.settle(first, len(page.lines))


# --- names ---


def _select(page: Page, node: n.Select, pad: str, head: str, tail: str) -> None:
    text = flat(node, page.marks)
    if text is not None:
        page.place_flat(text, pad, head, tail)
        return
    end = f".{attr_path(node.path)}"
    if node.default is not None:
        end += f" or {compact(node.default, page.marks, SELECT)}"
        page.settle_next()
    if selectable(node):
        layout(page, node.expr, pad, head, end + tail)
    else:
        _parenthesised(page, node.expr, pad, head, end + tail)


def _has_attr(page: Page, node: n.HasAttr, pad: str, head: str, tail: str) -> None:
    page.place_flat(compact(node, page.marks), pad, head, tail)


# --- collections ---


def _list(page: Page, node: n.List, pad: str, head: str, tail: str) -> None:
    if not node.items:
        page.place_flat("[ ]", pad, head, tail)
    elif len(node.items) > 1 or not page.place_if_flat(node, pad, head, tail):
        _spread_list(page, node, pad, head, tail)


def _spread_list(page: Page, node: n.List, pad: str, head: str, tail: str) -> None:
    inner = pad + STEP
    page.place(f"{pad}{head}[")
    for item in node.items:
        _operand(page, item, SELECT, inner, "", "")
    page.lines.append(f"{pad}]{tail}")


def _attr_set(page: Page, node: n.AttrSet, pad: str, head: str, tail: str) -> None:
    if not node.bindings:
        page.place_flat("rec { }" if node.recursive else "{ }", pad, head, tail)
    # in a list or as an argument, one short binding stays on the line; beside a key it never does
    elif (head[-3:] == " = " and node.bindings.pairs) or not page.place_if_flat(
        node, pad, head, tail
    ):
        _spread(page, node, pad, head, tail)


def _laid_out(page: Page, node: n.Expr, pad: str, head: str, tail: str) -> None:
    """Lay out an expression as `layout` does, but spread a set or list over several lines, however
    short it is.
    """
    begin = len(page.lines) + 1
    node, origins = unwrapped(node)
    if isinstance(node, n.AttrSet) and node.bindings:
        _spread(page, node, pad, head, tail)
    elif isinstance(node, n.List) and node.items:
        _spread_list(page, node, pad, head, tail)
    else:
        layout(page, node, pad, head, tail)
    page.spans.extend((begin, len(page.lines), origin) for origin in origins)


def _spread(page: Page, node: n.AttrSet, pad: str, head: str, tail: str) -> None:
    page.lines.append(f"{pad}{head}{'rec {' if node.recursive else '{'}")
    if page.spaced and not pad and not head:
        _paragraphs(page, node.bindings)
    else:
        _bindings(page, node.bindings, pad + STEP)
    page.lines.append(f"{pad}}}{tail}")


def _bindings(page: Page, bindings: Bindings, pad: str) -> None:
    for inherit in bindings.inherits:
        _inherit(page, inherit, pad)
    for key, value in bindings.pairs:
        if len(key) < _WIDE_KEY:
            _LAYOUTS[type(value)](page, value, pad, f"{key} = ", ";")
        else:
            _wide_binding(page, key, value, pad)


def _wide_binding(page: Page, key: str, value: n.Expr, pad: str) -> None:
    """Lay out a binding with a wide key. Below a long key that leaves no room for the beginning of
    the value, the value stands on lines of its own.
    """
    node, origins = unwrapped(value)
    operation = node if isinstance(node, n.BinaryOp) and node.operator in _COMBINING else None
    opening = is_collection(chain(operation)[0][1] if operation else node)
    start = " {" if opening else " ''" if is_spread_text(node) else ""
    if not _is_long(key) or len(f"{key} ={start}") <= WIDTH:
        layout(page, value, pad, f"{key} = ", ";")
        return
    page.lines.append(f"{pad}{key} =")
    begin = len(page.lines)
    if isinstance(node, n.AttrSet):
        _laid_out(page, node, pad + STEP, "", ";")
    elif operation:
        # sets and lists that an operator joins are not indented below their key
        _operation(page, operation, pad if opening else pad + STEP, "", ";", under_key=True)
    else:
        layout(page, node, pad + STEP, "", ";")
    page.spans.extend((begin, len(page.lines), origin) for origin in origins)


def _paragraphs(page: Page, bindings: Bindings) -> None:
    """Lay out the bindings of the outermost set of a file, with blank lines after ``inherit`` and
    around bindings of several lines.
    """
    for inherit in bindings.inherits:
        _inherit(page, inherit, STEP)
    first = not bindings.inherits
    after_block = True
    for key, value in bindings.pairs:
        block = _is_block(value)
        if not first and (block or after_block):
            page.lines.append("")
        first, after_block = False, block
        if len(key) < _WIDE_KEY:
            layout(page, value, STEP, f"{key} = ", ";")
        else:
            _wide_binding(page, key, value, STEP)


def _is_block(value: n.Expr) -> bool:
    value = bare(value)
    return bool(isinstance(value, n.AttrSet) and value.bindings) or flat(value, []) is None


def _inherit(page: Page, node: n.Inherit, pad: str) -> None:
    head, *names = inherit_words(node, page.marks)
    text = " ".join((head, *names))
    line = f"{pad}{text};"
    if len(text) < WIDTH and len(names) <= _INHERITED_ON_A_LINE:
        page.place(line)
        return
    page.place(pad + head)
    page.lines.extend(f"{pad}{STEP}{name}" for name in names)
    page.lines.append(f"{pad}{STEP};")


def _let(page: Page, node: n.Let, pad: str, head: str, tail: str) -> None:
    pad = page.below(pad, head)
    page.lines.append(f"{pad}let")
    _bindings(page, node.bindings, pad + STEP)
    page.lines.append(f"{pad}in")
    layout(page, node.body, pad, "", tail)


# --- functions ---


def _function(page: Page, node: n.Function, pad: str, head: str, tail: str) -> None:
    pad = page.below(pad, head)
    formals = formal_texts(node, page.marks)
    text = formals_text(formals)
    plain = all(formal.default is None for formal in node.formals)
    if plain and len(node.formals) <= _FORMALS_ON_A_LINE and len(text) <= WIDTH:
        page.place(pad + text)
    else:
        page.place(f"{pad}{{")
        ends = [","] * (len(formals) - 1) + ["" if node.ellipsis else ","]
        page.lines.extend(
            f"{pad}{STEP}{formal}{end}" for formal, end in zip(formals, ends, strict=True)
        )
        page.lines.append(f"{pad}}}:")
    if isinstance(bare(node.body), n.AttrSet):
        # a module is hard to read on one line
        _laid_out(page, node.body, pad, "", tail)
    else:
        layout(page, node.body, pad, "", tail)


def _lambda(page: Page, node: n.Lambda, pad: str, head: str, tail: str) -> None:
    if page.place_if_flat(node, pad, head, tail):
        return
    parameters, body = f"{node.parameter}:", node.body
    while isinstance(body, n.Lambda):
        parameters, body = f"{parameters} {body.parameter}:", body.body
    if head[-3:] == " = " and isinstance(body, n.Call):
        # below a key, the called function begins a line
        pad = page.below(pad, head)
        page.place(f"{pad}{parameters}")
        layout(page, body, pad, "", tail)
    else:
        layout(page, body, pad, f"{head}{parameters} ", tail)


def _call(page: Page, node: n.Call, pad: str, head: str, tail: str) -> None:
    """Lay out a call on one line, or with the last argument opening at the end of the line, or with
    the last argument on lines of its own (``prettyApp``).
    """
    *leading, last = node.arguments
    # text of several lines, as of pkgs.writeText, has no form on one line: no need to try
    spread = is_spread_text(last)
    if not spread and page.place_if_flat(node, pad, head, tail):
        return
    if not spread and rank(last) >= SELECT and is_simple(node):
        text = flat(node, page.marks)
        if text is not None:
            _beside(page, text, pad, head, tail)
            return
    page.marks.clear()
    beside = spread or opens(last)
    if beside or rank(last) < SELECT:
        lead = flat(n.Call(node.function, leading) if leading else node.function, page.marks, CALL)
        if lead is not None and (len(f"{head}{lead} {{") <= WIDTH or is_simple(node)):
            if _is_long(head) and len(f"{head}{lead} (") + spread > WIDTH and is_simple(node):
                page.marks.clear()
                _call(page, node, page.below(pad, head), "", tail)
                return
            page.settle_next()
            if beside:
                _operand(page, last, SELECT, pad, f"{head}{lead} ", tail)
            else:
                _between_parentheses(page, last, pad, f"{head}{lead} ", tail)
            return
        page.marks.clear()
    start = n.Call(node.function, leading) if leading else node.function
    in_parentheses = head[-1:] == "("
    if in_parentheses and page.place_if_flat(start, pad, head, ""):
        _operand(page, last, SELECT, pad + STEP, "", "")
        page.place(f"{pad}{tail}")
        return
    pad = page.below(pad, head)
    if not page.place_if_flat(start, pad, "", ""):
        _operand(page, node.function, CALL, pad, "", "")
        for argument in leading:
            _operand(page, argument, SELECT, pad + STEP, "", "")
    if rank(last) >= SELECT or opens(last):
        _operand(page, last, SELECT, pad + STEP, "", tail)
    elif not page.place_if_flat(last, pad + STEP, "(", f"){tail}"):
        _between_parentheses(page, last, pad + STEP, "", tail)


# --- operators ---


def _if(page: Page, node: n.If, pad: str, head: str, tail: str) -> None:
    if page.place_if_flat(node, pad, head, tail):
        return
    pad = page.below(pad, head)
    start = "if "
    current: n.Expr = node
    while isinstance(current, n.If):
        page.place(f"{pad}{start}{compact(current.condition, page.marks)} then")
        layout(page, current.then, pad + STEP)
        start, current = "else if ", current.otherwise
    page.lines.append(f"{pad}else")
    layout(page, current, pad + STEP, "", tail)


def _not(page: Page, node: n.Not, pad: str, head: str, tail: str) -> None:
    _operand(page, node.expr, NOT, pad, f"{head}!", tail)


def _binary(page: Page, node: n.BinaryOp, pad: str, head: str, tail: str) -> None:
    _operation(page, node, pad, head, tail, under_key=head[-3:] == " = ")


def _operation(
    page: Page, node: n.BinaryOp, pad: str, head: str, tail: str, *, under_key: bool
) -> None:
    """Lay out an operation on one line, or with one operand on each line behind its operator.
    Beside a key, a list or set opens on the line of the key, alone or as ``a // {`` (``prettyOp``).
    """
    operands = chain(node)
    combined = under_key and len(operands) == 2 and node.operator in _COMBINING
    last = bare(operands[-1][1]) if combined else None
    if isinstance(last, n.AttrSet) and last.bindings and _after(page, operands, pad, head, tail):
        return
    first = bare(operands[0][1])
    spread = under_key and node.operator in _COMBINING and isinstance(first, n.AttrSet)
    if not (spread and is_collection(first)) and page.place_if_flat(node, pad, head, tail):
        return
    if isinstance(last, n.List) and last.items and _after(page, operands, pad, head, tail):
        return
    if node.operator not in _COMBINING or not is_collection(operands[0][1]):
        pad = page.below(pad, head)
        whole = head and not (last and is_collection(last))
        if whole and page.place_if_flat(node, pad, "", tail):
            return
        head = ""
    elif under_key and _is_long(head) and _is_too_wide(operands[-1], tail):
        page.place(f"{pad}{head[:-1]}")
        head = ""
    end = len(operands) - 1
    for position, (operator, operand, least) in enumerate(operands):
        start = f"{operator} " if position else head
        kind = type(bare(operand))
        if kind is n.AttrSet or (kind is n.List and under_key and not position):
            _laid_out(page, operand, pad, start, tail if position == end else "")
        else:
            _operand(page, operand, least, pad, start, tail if position == end else "")


def _is_too_wide(operand: Operand, tail: str) -> bool:
    """Decide if an operand without line breaks inside it is too wide for a line."""
    operator, node, _ = operand
    node = bare(node)
    text = flat(node, []) if isinstance(node, _UNBROKEN) else None
    return text is not None and len(f"{operator} {text}{tail}") > WIDTH


def _after(page: Page, operands: list[Operand], pad: str, head: str, tail: str) -> bool:
    """Place ``key = a // {`` and the content of the set or list below it. False, with nothing
    placed, when ``a`` does not fit there.
    """
    (_, first, least), (operator, second, _) = operands
    text = None if is_collection(first) else flat(first, page.marks, least)
    if text is None or len(f"{head}{text} {operator} {{") > WIDTH:
        page.marks.clear()
        return False
    page.settle_next()
    _laid_out(page, second, pad, f"{head}{text} {operator} ", tail)
    return True


# --- wrappers ---


def _mark(page: Page, node: n.Mark, pad: str, head: str, tail: str) -> None:
    first = len(page.lines) + 1
    inner = node.expr
    _LAYOUTS[type(inner)](page, inner, pad, head, tail)
    page.spans.append((first, len(page.lines), node.origin))


def _constant(page: Page, node: n.Constant, pad: str, head: str, tail: str) -> None:
    lines = node.lines.get((head, tail))
    if lines is None:
        scratch = Page(spaced=False)
        layout(scratch, node.expr, "", head, tail)
        lines = node.lines[head, tail] = tuple(scratch.lines)
    if page.marks:
        page.settle_next()
    # widths are counted without the indentation, so the lines are the same behind any
    page.lines.extend([pad + line if line else "" for line in lines])


def _commented(page: Page, node: n.Commented, pad: str, head: str, tail: str) -> None:
    page.lines.extend(pad + line for line in comment_lines(node.comment))
    layout(page, node.expr, pad, head, tail)


_LAYOUTS: Final[dict[type, Callable[[Page, Any, str, str, str], None]]] = {
    **{kind: _atom(form) for kind, form in ATOMS.items()},
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
    n.Path: _path,
    n.Select: _select,
    n.Str: _str,
}
