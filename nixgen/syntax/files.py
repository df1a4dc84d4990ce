"""A generated file before it is printed: one Nix expression below a comment, or lines of another format."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from nixgen.syntax.nodes import Expr

__all__ = ["GeneratedFile", "NixFile", "PlainFile"]


@frozen
class NixFile:
    """A file with one Nix expression.

    :param comment: Text above the expression; each line is printed as ``# …``.
    :param make: Makes the expression. It is called once, when the file is printed, so that a large
        project is never in memory as expressions.
    """

    comment: str
    make: Callable[[], Expr]


@frozen
class PlainFile:
    """A file in a format other than Nix.

    :param make: Makes its lines, without line ends. The lowering answers for what is in them.
    """

    make: Callable[[], tuple[str, ...]]


GeneratedFile: TypeAlias = NixFile | PlainFile
