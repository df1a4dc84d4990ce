"""Find the line of a key in a dict of infra.py. A model knows only the line of its constructor."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

__all__ = ["line_of"]


def line_of(where: str, keys: Sequence[str | int]) -> str:
    """The ``file:line`` of the innermost key that the call at ``where`` has as a literal string.

    :param where: The ``file:line`` at which the call of a model's constructor begins.
    :param keys: The keys from the outermost dict to the value. Each key is searched behind the key
        before it, and positions in lists are skipped.
    :returns: The place of the key; ``where`` itself if no key is found.
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
    """The line and text of each string in the outermost call on a line, in the order of the text."""
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
