"""Text of unit files, escaped so that systemd reads the words that were meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope
from nixgen.syntax import Expr

__all__ = ["command_line", "command_word", "environment_value", "literal", "word"]


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
    return _string(pieces)


@lru_cache(maxsize=8192)
def command_word(text: str) -> str:
    """One word of a command line, in which ``%`` and ``$`` mean nothing (systemd.service(5)).

    :param text: The word.
    """
    escaped = _escaped(text)
    return f'"{escaped}"' if not text or _NEEDS_QUOTES.search(text) else escaped


def _add_quoted(parts: tuple[str | Expr, ...], pieces: list[str | Expr]) -> None:
    # a store path itself never needs quotes
    quotes = not any(parts)
    start = len(pieces)
    for part in parts:
        if isinstance(part, str):
            pieces.append(_escaped(part))
            quotes = quotes or _NEEDS_QUOTES.search(part) is not None
        else:
            pieces.append(part)
    if quotes:
        pieces.insert(start, '"')
        pieces.append('"')


_NEEDS_QUOTES = re.compile(r"""[\0-\x20"'\\;]""")
_SPECIAL = re.compile(r"""[\0-\x1f"\\%$]""")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%", "$": "$$"}


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


def _string(pieces: Iterable[str | Expr]) -> Expr:
    string = nix.Interpolation(pieces)
    match string.parts:
        case ():
            return nix.Str("")
        case (str(text),):
            return nix.Str(text)
    return string


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
    return _string(
        [literal(part) if isinstance(part, str) else part for part in scope.parts(value)]
    )


def word(text: str) -> str:
    """Escape a word of a list, such as a path. A dollar sign has no meaning there
    (systemd.syntax(7)).

    :param text: Word to escape.
    """
    escaped = _escaped(text).replace("$$", "$")
    return f'"{escaped}"' if _NEEDS_QUOTES.search(text) else escaped
