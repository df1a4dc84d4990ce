"""A generated file before it is printed: one Nix expression below a comment, or lines of another
format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from nixgen.syntax.nodes import Expr

__all__ = ["GeneratedFile", "NixFile", "PlainFile"]


@frozen
class NixFile:
    """A file with one Nix expression.

    :param comment: Text above the expression. Each line is printed as ``# …``.
    :param make: Makes the expression. The printer calls it once for each file, so that the
        expressions of a large project are never in memory together.
    """

    comment: str
    make: Callable[[], Expr]


@frozen
class PlainFile:
    """A file in a format other than Nix.

    :param make: Makes the lines, without line ends. The lowering is responsible for their content.
    """

    make: Callable[[], tuple[str, ...]]


GeneratedFile: TypeAlias = NixFile | PlainFile
