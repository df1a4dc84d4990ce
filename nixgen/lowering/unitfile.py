"""Text of unit files: words that systemd reads as they were meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope
from nixgen.syntax import Expr

__all__ = ["command_line", "environment_value", "literal", "word"]


def command_line(scope: Scope, words: Iterable[Any]) -> Expr:
    """The words as one ``ExecStart=`` value that systemd splits into the same words again (systemd.service(5))."""
    pieces: list[str | Expr] = []
    for index, word in enumerate(words):
        if index:
            pieces.append(" ")
        pieces.extend(_quoted(scope.parts(word)))
    return _string(pieces)


def _quoted(parts: tuple[str | Expr, ...]) -> Iterable[str | Expr]:
    # a store path itself never needs quotes
    quotes = not any(parts) or any(
        isinstance(part, str) and _NEEDS_QUOTES.search(part) for part in parts
    )
    if quotes:
        yield '"'
    for part in parts:
        yield _escaped(part) if isinstance(part, str) else part
    if quotes:
        yield '"'


_NEEDS_QUOTES = re.compile(r"""[\0-\x20"'\\;]""")
_SPECIAL = re.compile(r"""[\0-\x1f"\\%$]""")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%", "$": "$$"}


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


def _string(pieces: Iterable[str | Expr]) -> Expr:
    text: list[str] = []
    kept: list[str | Expr] = []
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
        else:
            kept += ("".join(text), piece)
            text = []
    rest = "".join(text)
    return nix.Interpolation((*kept, rest)) if kept else nix.Str(rest)


def literal(text: str) -> str:
    """Text where ``%`` would be a specifier (systemd.unit(5))."""
    return text.replace("%", "%%")


def environment_value(scope: Scope, value: Any) -> Expr:
    """One value of ``systemd.services.NAME.environment``."""
    return _string(literal(part) if isinstance(part, str) else part for part in scope.parts(value))


def word(text: str) -> str:
    """One word of a list, such as a path; a dollar has no meaning there (systemd.syntax(7))."""
    escaped = _escaped(text).replace("$$", "$")
    return f'"{escaped}"' if _NEEDS_QUOTES.search(text) else escaped
