"""The spelling of strings, names, numbers, paths and comments in Nix.

``tests/property`` checked all of it against the lexers of Nix 2.8, 2.26 and 2.34. A string has two
forms. ``"…"`` holds any text without NUL. ``''…''`` is easier to read over several lines, but
strips indentation; `fits_indented` decides when it means the same text.
"""

from __future__ import annotations

import math
import re
import sys
from functools import lru_cache

from nixgen.errors import UnprintableError

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "attr_name",
    "attr_path",
    "check_text",
    "comment_lines",
    "escape_indented",
    "escape_quoted",
    "fits_indented",
    "has_escapes",
    "is_identifier",
    "path_literal",
    "print_float",
    "print_int",
    "quoted",
]

INT_MAX = 2**63 - 1
INT_MIN = -(2**63)

# `or` is a keyword only in places, `__curPos` is a variable: quoting the former is never wrong.
KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"})

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")
_SAFE_PATH = re.compile(r"\.\.?(?:/[A-Za-z0-9._+-]+)+")


@lru_cache(maxsize=8192)
def is_identifier(name: str) -> bool:
    """Decide if a name is printed without quotes.

    :param name: Name of a variable or an attribute.
    """
    return _IDENTIFIER.fullmatch(name) is not None and name not in KEYWORDS


def check_text(text: str) -> None:
    """Refuse text that no Nix string can hold: NUL, where Nix 2.8 cuts the string, and lone
    surrogates.

    :param text: Text to check.
    :raises UnprintableError: The text holds one of these; the message names its index.
    """
    if text.isascii() and "\0" not in text:
        return
    found = _UNPRINTABLE.search(text)
    if found is not None:
        kind = "a NUL character" if found[0] == "\0" else f"a lone surrogate ({found[0]!a})"
        raise UnprintableError(
            f"a Nix string cannot hold {kind}, found at index {found.start()}",
            hint="keep binary data in a file and refer to it by path",
        )


# --- "…" ---

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "$": "\\$"}
_QUOTED = re.compile(r'["\\\n\r\t]|\$(?=\{)')
# Text in front of an antiquotation: a `$` at its end would turn `${` into the literal `$${`.
_QUOTED_BEFORE = re.compile(r'["\\\n\r\t]|\$(?=\{|\Z)')


has_escapes = _QUOTED.search
"""Finds the first character of a text that has an escape in the form ``"…"``."""


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES[found[0]]


def quoted(text: str) -> str:
    """The form ``"…"`` of a text.

    :param text: Text that `check_text` accepts.
    """
    if _QUOTED.search(text) is None:
        return f'"{text}"'
    return f'"{_QUOTED.sub(_escape, text)}"'


def escape_quoted(text: str, *, before_antiquotation: bool) -> str:
    """Escape a part of a string in the form ``"…"``. The result has no quotes.

    :param text: Text of the part.
    :param before_antiquotation: True when ``${`` follows the part.
    """
    return (_QUOTED_BEFORE if before_antiquotation else _QUOTED).sub(_escape, text)


# --- ''…'' ---

_INDENTED = {"''": "'''", "'": "''\\'", "$": "''$"}
# Matched from left to right, so that `'''` is a pair and a lone quote. The lone quote needs an
# escape only before another quote: that of an escaped `${` or `$`, or that at the end of the string.
_INDENTED_LAST = re.compile(r"''|'(?=\$\{|\Z)|\$(?=\{)")
_INDENTED_BEFORE = re.compile(r"''|'(?=\$\{|\$?\Z)|\$(?=\{|\Z)")
# Controls other than tab and newline, and blanks at the end of a line: the lexer keeps most of
# them, but editors and git change them, and readers overlook them.
_UNFIT = re.compile(r"[\x01-\x08\x0b-\x1f\x7f]|[ \t](?:\n|\Z)")
_FLUSH_LINE = re.compile(r"^[^ \n]", re.MULTILINE)


def fits_indented(skeleton: str) -> bool:
    """Decide if the form ``''…''`` can hold a text and is easier to read than ``"…"``.

    Nix strips the smallest indentation of all lines that are not blank. The printer indents all
    lines by the same number of spaces, so the text stays the same if one of its lines has no
    indentation.

    :param skeleton: Text, with a letter in place of each antiquotation.
    """
    newline = skeleton.find("\n")
    return (
        0 <= newline < len(skeleton) - 1
        and _UNFIT.search(skeleton) is None
        and _FLUSH_LINE.search(skeleton) is not None
    )


def escape_indented(text: str, *, before_antiquotation: bool) -> str:
    """Escape a part of a string in the form ``''…''``. The result has no quotes and no indentation.

    :param text: Text of the part.
    :param before_antiquotation: True when ``${`` follows the part.
    """
    pattern = _INDENTED_BEFORE if before_antiquotation else _INDENTED_LAST
    return pattern.sub(lambda found: _INDENTED[found[0]], text)


# --- names ---


@lru_cache(maxsize=8192)
def attr_name(name: str) -> str:
    """The text of an attribute name, without quotes where Nix allows it. The result is cached,
    because the same few names fill thousands of files.

    :param name: Name of the attribute.
    """
    if is_identifier(name):
        return name
    check_text(name)
    return quoted(name)


@lru_cache(maxsize=8192)
def attr_path(names: tuple[str, ...]) -> str:
    """The text of an attribute path.

    :param names: Names of the path.
    """
    return ".".join(map(attr_name, names))


# --- numbers ---


def print_int(value: int) -> str:
    """The text of an integer. -2^63 has no literal, because Nix reads ``-x`` as the negation of an
    ``x`` that would overflow.

    :param value: Number from -2^63 to 2^63-1.
    """
    if value > INT_MIN:
        return str(value)
    return f"({value + 1} - 1)"


def print_float(value: float) -> str:
    """The shortest text that Nix reads as the same double. It has a dot, because Nix reads
    ``1e-06`` as ``1`` and a variable ``e-06``.

    Nix has no negative zero, as ``-0.0`` is ``0 - 0.0``. It is written as zero, to which it is
    equal.

    :param value: Number to print.
    :raises UnprintableError: The number is infinite, not a number, or subnormal.
    """
    if not math.isfinite(value) or 0.0 < abs(value) < sys.float_info.min:
        raise UnprintableError(
            f"{value!r} is not a number that Nix can read",
            hint="use a finite number, or a string",
        )
    text = repr(value or 0.0)
    if "." in text:
        return text
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if exponent else f"{mantissa}.0"


# --- paths ---


@lru_cache(maxsize=1024)
def path_literal(path: str) -> tuple[str, str | None]:
    """Split a relative path into a literal and the rest that no literal can spell: ``./a b`` is
    printed as ``./. + "/a b"``.

    :param path: Path relative to the file that it is printed in.
    :return: The literal, and the text that is added to it; None when the literal is the whole path.
    :raises UnprintableError: The path is absolute, or no Nix string can hold it.
    """
    check_text(path)
    if path.startswith("/"):
        raise UnprintableError(
            f"the path {path!r} is absolute, so it would only exist on this machine",
            hint="give a path relative to the generated file",
        )
    parts = [part for part in path.split("/") if part not in {"", "."}]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    base = "/".join(parts[:up]) or "."
    rest = "/".join(parts[up:])
    plain = f"{base}/{rest or '.'}"
    if _SAFE_PATH.fullmatch(plain):
        return plain, None
    return f"{base}/.", f"/{rest}"


# --- comments ---


def comment_lines(text: str) -> list[str]:
    """The lines of a comment, each as ``# …``. Controls and surrogates become ``?``, so that the
    comment ends where it seems to end.

    :param text: Text of the comment.
    """
    return [
        f"# {''.join(c if c.isprintable() else '?' for c in line)}".rstrip()
        for line in text.expandtabs(2).splitlines()
    ]
