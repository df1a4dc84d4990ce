"""The line of a key in a dict that a model was given: models know only the line of their constructor."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

__all__ = ["line_of"]


def line_of(where: str, keys: Sequence[str | int]) -> str:
    """``file:line`` of the last of the keys that is written in the call at ``where``; else ``where`` itself.

    :param where: ``file:line`` of a model, which is where its constructor's call begins.
    :param keys: the way into the dict, from the outside; each is looked for after the one before. Positions are passed over.
    """
    file, _, number = where.rpartition(":")
    try:
        strings = _strings(Path(file).read_bytes(), int(number))
    except (OSError, SyntaxError, ValueError):
        return where
    line, at = number, 0
    for key in keys:
        if isinstance(key, int):
            continue
        place = next((n for n in range(at, len(strings)) if strings[n][1] == key), None)
        if place is None:
            break
        line, at = str(strings[place][0]), place + 1
    return f"{file}:{line}"


@lru_cache(maxsize=8)
def _strings(code: bytes, line: int) -> tuple[tuple[int, str], ...]:
    """Line and text of each string in the outermost call that begins on a line, in the order they are written."""
    nodes = ast.walk(ast.parse(code))
    call = next(
        (node for node in nodes if isinstance(node, ast.Call) and node.lineno == line), None
    )
    if call is None:
        return ()
    found = [
        (node.lineno, node.col_offset, node.value)
        for node in ast.walk(call)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return tuple((at, text) for at, _, text in sorted(found))
