"""Command lines and variables of unit files, in which packages and files have store paths."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from nixgen.lowering.scope import Scope, string
from nixgen.lowering.written import Written, units
from nixgen.models.lines import (
    EnvironmentValue,
    ExecPiece,
    ExecWord,
    PathWord,
    UnitLine,
    UnitText,
    needs_quotes,
)
from nixgen.syntax import Expr

# the types of unit files are here as well, for those who write such files without models
__all__ = ["ExecWord", "PathWord", "UnitLine", "UnitText", "command_line", "environment_value"]


def command_line(scope: Scope, words: Iterable[Any]) -> Written:
    """Join words to a value of ``ExecStart=``. systemd splits it into the same words
    (systemd.service(5)).

    :param scope: Scope of the file.
    :param words: Words of the command: str, `Text` or references.
    """
    pieces: list[str | Expr] = []
    for word in words:
        if pieces:
            pieces.append(" ")
        if isinstance(word, str):
            pieces.append(ExecWord(word))
        else:
            _add_quoted(scope.parts(word), pieces)
    return Written(string(pieces))


def _add_quoted(parts: tuple[str | Expr, ...], pieces: list[str | Expr]) -> None:
    # a store path itself never needs quotes
    quotes = not any(parts)
    start = len(pieces)
    for part in parts:
        if isinstance(part, str):
            pieces.append(ExecPiece(part))
            quotes = quotes or needs_quotes(part)
        else:
            pieces.append(part)
    if quotes:
        pieces.insert(start, '"')
        pieces.append('"')


def environment_value(scope: Scope, value: Any) -> Written:
    """Convert a value of ``systemd.services.NAME.environment``.

    :param scope: Scope of the file.
    :param value: str, `Text` or reference.
    """
    if isinstance(value, str):
        return _plain_value(value)
    parts = scope.parts(value)
    return Written(
        string(EnvironmentValue(part) if isinstance(part, str) else part for part in parts)
    )


# many services have variables of equal values
@lru_cache(maxsize=8192)
def _plain_value(text: str) -> Written:
    return units(EnvironmentValue(text))
