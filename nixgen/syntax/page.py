"""The page that text is laid out on: its lines, and the spans of lines with a known origin."""

from __future__ import annotations

from typing import Final

from nixgen.syntax.inline import Marks, flat
from nixgen.syntax.nodes import Expr

__all__ = ["STEP", "WIDTH", "Page", "Span"]

#: Columns of a line without its indentation, as nixfmt counts them.
WIDTH: Final = 100
STEP: Final = "  "

Span = tuple[int, int, object]
"""First line, last line (from 1, inclusive), origin."""


class Page:
    """The lines made so far, the spans over them, and the marks that wait for their line.

    :param spaced: True to separate the blocks of the outermost set by blank lines.
    """

    __slots__ = ("lines", "marks", "spaced", "spans")

    def __init__(self, *, spaced: bool) -> None:
        self.lines: list[str] = []
        self.spans: list[Span] = []
        self.marks: Marks = []
        self.spaced = spaced

    def place(self, line: str) -> None:
        """Append a line, which gets the waiting marks.

        :param line: Line with its indentation.
        """
        self.lines.append(line)
        if self.marks:
            self.settle(len(self.lines), len(self.lines))

    def settle(self, first: int, last: int) -> None:
        """Turn the waiting marks into spans.

        :param first: First line of the spans, counted from 1.
        :param last: Last line of the spans.
        """
        self.spans.extend((first, last, origin) for origin in self.marks)
        self.marks.clear()

    def settle_next(self) -> None:
        """Give the waiting marks to the next line, which will hold their text."""
        if self.marks:
            self.settle(len(self.lines) + 1, len(self.lines) + 1)

    def place_flat(self, text: str, pad: str, head: str, tail: str) -> None:
        """Append a one-line form; below its key if it does not fit beside the key.

        :param text: One-line form of an expression.
        :param pad: Indentation of the line.
        :param head: Text before the form, such as ``key = ``.
        :param tail: Text behind the form.
        """
        line = f"{pad}{head}{text}{tail}"
        if len(line) - len(pad) > WIDTH and head[-3:] == " = ":
            self.lines.append(pad + head[:-1])
            line = f"{pad}{STEP}{text}{tail}"
        self.lines.append(line)
        if self.marks:
            self.settle(len(self.lines), len(self.lines))

    def place_if_flat(self, node: Expr, pad: str, head: str, tail: str) -> bool:
        """Append the one-line form of an expression if it has one that fits.

        :param node: Expression to print.
        :param pad: Indentation of the line.
        :param head: Text before the form.
        :param tail: Text behind the form.
        :return: True when the line was appended.
        """
        text = flat(node, self.marks)
        if text is not None:
            line = f"{pad}{head}{text}{tail}"
            if len(line) - len(pad) <= WIDTH:
                self.place(line)
                return True
        self.marks.clear()
        return False

    def below(self, pad: str, head: str) -> str:
        """Append the head as a line of its own, if there is one.

        :param pad: Indentation of the line.
        :param head: Text of the line.
        :return: The indentation of the lines below it.
        """
        if not head:
            return pad
        self.place(pad + head.rstrip())
        return pad + STEP
