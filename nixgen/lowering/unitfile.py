"""Text of unit files, escaped so that systemd reads the words that were meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope, string
from nixgen.syntax import Expr

__all__ = ["command_line", "command_word", "environment_value", "escaped", "literal", "word"]


def command_line(scope: Scope, words: Iterable[Any]) -> Expr:
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
            pieces.append(command_word(word))
        else:
            _add_quoted(scope.parts(word), pieces)
    return string(pieces)


@lru_cache(maxsize=8192)
def command_word(text: str) -> str:
    """One word of a command line, in which ``%`` and ``$`` mean nothing (systemd.service(5)).

    :param text: The word.
    """
    inner = _without_dollars(text)
    return f'"{inner}"' if not text or _NEEDS_QUOTES.search(text) else inner


def _add_quoted(parts: tuple[str | Expr, ...], pieces: list[str | Expr]) -> None:
    # a store path itself never needs quotes
    quotes = not any(parts)
    start = len(pieces)
    for part in parts:
        if isinstance(part, str):
            pieces.append(_without_dollars(part))
            quotes = quotes or _NEEDS_QUOTES.search(part) is not None
        else:
            pieces.append(part)
    if quotes:
        pieces.insert(start, '"')
        pieces.append('"')


_NEEDS_QUOTES = re.compile(r"""[\0-\x20"'\\;]""")
_SPECIAL = re.compile(r"""[\0-\x1f"\\%]""")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%"}


def escaped(text: str) -> str:
    """Escape percent signs, which begin a specifier, and the characters that need a backslash.

    :param text: Text to escape.
    """
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


def _without_dollars(text: str) -> str:
    return escaped(text).replace("$", "$$")


def literal(text: str) -> str:
    """Escape text of a unit file, where ``%`` begins a specifier (systemd.unit(5)).

    :param text: Text to escape.
    """
    return text.replace("%", "%%")


def environment_value(scope: Scope, value: Any) -> Expr:
    """Convert a value of ``systemd.services.NAME.environment``.

    :param scope: Scope of the file.
    :param value: str, `Text` or reference.
    """
    if isinstance(value, str):
        return nix.Str(literal(value))
    return string(literal(part) if isinstance(part, str) else part for part in scope.parts(value))


def word(text: str) -> str:
    """Escape a word of a list, such as a path. A dollar sign has no meaning there
    (systemd.syntax(7)).

    :param text: Word to escape.
    """
    inner = escaped(text)
    return f'"{inner}"' if _NEEDS_QUOTES.search(text) else inner
