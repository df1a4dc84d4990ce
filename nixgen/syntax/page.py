"""Where text is laid out: lines, the spans over them, and whether something fits."""

from __future__ import annotations

from typing import Final

from nixgen.syntax.inline import Marks, flat
from nixgen.syntax.nodes import Expr

__all__ = ["STEP", "WIDTH", "Page", "Span"]

#: Columns of a line, without its indentation: as nixfmt counts.
WIDTH: Final = 100
STEP: Final = "  "

Span = tuple[int, int, object]
"""First line, last line (from 1, inclusive), origin."""


class Page:
    """Lines made so far, the spans over them, and the marks that wait for their line.

    :param spaced: Separate the blocks of the outermost set by blank lines.
    """

    __slots__ = ("lines", "marks", "spaced", "spans")

    def __init__(self, *, spaced: bool) -> None:
        self.lines: list[str] = []
        self.spans: list[Span] = []
        self.marks: Marks = []
        self.spaced = spaced

    def place(self, line: str) -> None:
        self.lines.append(line)
        if self.marks:
            self.settle(len(self.lines), len(self.lines))

    def settle(self, first: int, last: int) -> None:
        self.spans.extend((first, last, origin) for origin in self.marks)
        self.marks.clear()

    def settle_next(self) -> None:
        """Give the marks of a text to the line after this one, which will hold it."""
        if self.marks:
            self.settle(len(self.lines) + 1, len(self.lines) + 1)

    def place_flat(self, text: str, pad: str, head: str, tail: str) -> None:
        """A one-line form, below its key if it does not fit beside it."""
        line = f"{pad}{head}{text}{tail}"
        if len(line) - len(pad) > WIDTH and head[-3:] == " = ":
            self.lines.append(pad + head[:-1])
            line = f"{pad}{STEP}{text}{tail}"
        self.lines.append(line)
        if self.marks:
            self.settle(len(self.lines), len(self.lines))

    def place_if_flat(self, node: Expr, pad: str, head: str, tail: str) -> bool:
        """Place the one-line form if there is one that fits."""
        text = flat(node, self.marks)
        if text is not None:
            line = f"{pad}{head}{text}{tail}"
            if len(line) - len(pad) <= WIDTH:
                self.place(line)
                return True
        self.marks.clear()
        return False

    def below(self, pad: str, head: str) -> str:
        """Leave the head on a line of its own; what follows gets the returned padding."""
        if not head:
            return pad
        self.place(pad + head.rstrip())
        return pad + STEP
