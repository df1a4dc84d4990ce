"""The printer: the text of an expression, or of a file with the origins of its lines."""

from __future__ import annotations

from attrs import frozen

from nixgen.errors import UnprintableError
from nixgen.syntax.layout import layout
from nixgen.syntax.nodes import Expr
from nixgen.syntax.page import Page, Span
from nixgen.syntax.text import comment_lines

__all__ = ["Printed", "print_expr", "print_file"]


@frozen
class Printed:
    """A printed file.

    :param text: Text of the file.
    :param spans: First line, last line and origin of each marked expression, outer spans first.
    """

    text: str
    spans: tuple[Span, ...]

    def origin(self, line: int) -> object | None:
        """The origin of the innermost span around a line. None when no span holds the line.

        :param line: Number of the line, counted from 1.
        """
        found = None
        for first, last, origin in self.spans:
            if first > line:
                break
            if line <= last:
                found = origin
        return found


def print_expr(expr: Expr, indent: int = 0) -> str:
    """The text of an expression, without a final newline.

    :param expr: Expression to print.
    :param indent: Number of spaces before each line; none unless given.
    :raises UnprintableError: the expression is nested too deeply.
    """
    return "\n".join(_lay_out(Page(spaced=False), expr, " " * indent).lines)


def print_file(expr: Expr, *, comment: str = "") -> Printed:
    """The text of a file that holds one expression.

    :param expr: Expression to print.
    :param comment: Text above the expression. Each line is printed as ``# …``.
    :raises UnprintableError: the expression is nested too deeply.
    """
    page = Page(spaced=True)
    page.lines.extend(comment_lines(comment))
    _lay_out(page, expr, "")
    # a span is made with its last line: of two over the same lines, the inner one comes first
    page.spans.reverse()
    page.spans.sort(key=lambda span: (span[0], -span[1]))
    return Printed("\n".join(page.lines) + "\n", tuple(page.spans))


def _lay_out(page: Page, expr: Expr, pad: str) -> Page:
    try:
        layout(page, expr, pad)
    except RecursionError:
        raise UnprintableError(
            "the expression is nested too deeply to print",
            hint="flatten it, or keep it in a JSON file and read it with builtins.fromJSON",
        ) from None
    return page
