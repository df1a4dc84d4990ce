"""Match POSIX extended regular expressions as Nix's ``builtins.match`` does, by Python's engine.

Nix uses std::regex of libstdc++ on bytes: a dot also matches a newline, a backslash in brackets is
a backslash, and the whole text has to match. Patterns that the two engines may read differently are
not translated.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["matches"]

# https://pubs.opengroup.org/onlinepubs/9699919799/basedefs/V1_chap09.html#tag_09_03_05, in the C locale
_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\ \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\ \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_ANCHORS = {"^": r"\A", "$": r"\Z"}
_BOUNDS = re.compile(r"\{\d+(,\d*)?\}")
_NAMED = re.compile(r"\[:(\w+):\]")


class _AmbiguousError(Exception):
    """A pattern has a part that may mean something else in Python."""


def matches(pattern: str, text: str) -> bool | None:
    """Decide if a pattern matches a whole text; None when Nix may decide differently.

    :param pattern: POSIX extended regular expression.
    :param text: Text to match.
    """
    compiled = _compiled(pattern)
    if compiled is None:
        return None
    # whether anchors also match beside a newline depends on the library's version
    if "\n" in text and (rb"\A" in compiled.pattern or rb"\Z" in compiled.pattern):
        return None
    return compiled.fullmatch(text.encode()) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[bytes] | None:
    try:
        return re.compile(_translated(pattern).encode(), re.DOTALL)
    except (_AmbiguousError, re.error):
        return None


def _translated(pattern: str) -> str:
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        piece, at = _piece(pattern, at)
        pieces.append(piece)
    return "".join(pieces)


def _piece(pattern: str, at: int) -> tuple[str, int]:
    """Translate one element of a pattern. The second value is the index of the next element."""
    character = pattern[at]
    if character == "[":
        return _bracket(pattern, at)
    if character == "\\":
        escaped = pattern[at + 1 : at + 2]
        if not escaped or escaped.isalnum():  # \d and \w are Perl's, \1 refers back
            raise _AmbiguousError
        return re.escape(escaped), at + 2
    if character == "{":
        bounds = _BOUNDS.match(pattern, at)
        if bounds is None:
            raise _AmbiguousError
        return bounds[0], bounds.end()
    if character in _ANCHORS:
        return _ANCHORS[character], at + 1
    if pattern[at : at + 2] in {"(?", "*?", "+?", "??", "**", "++", "*+", "?+"}:
        raise _AmbiguousError
    if character in ".()|*+?":
        return character, at + 1
    return re.escape(character), at + 1


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """Translate ``[…]``, in which only ``]``, ``-``, ``^`` and ``[:class:]`` are special."""
    at += 1
    members = ["["]
    if pattern[at : at + 1] == "^":
        members.append("^")
        at += 1
    first = at
    while at < len(pattern):
        character = pattern[at]
        if character == "]" and at > first:
            return "".join([*members, "]"]), at + 1
        if character == "[":
            named = _NAMED.match(pattern, at)
            if named is None and pattern[at + 1 : at + 2] in {".", "=", ":"}:
                raise _AmbiguousError
            if named is not None:
                if named[1] not in _CLASSES:
                    raise _AmbiguousError
                members.append(_CLASSES[named[1]])
                at = named.end()
                continue
        end = pattern[at + 2 : at + 3]
        if pattern[at + 1 : at + 2] == "-" and end and end != "]":
            if end == "[" or character == "-" or character > end or not end.isascii():
                raise _AmbiguousError
            members.append(f"{re.escape(character)}-{re.escape(end)}")
            at += 3
            continue
        if not character.isascii():  # several bytes, each a member
            raise _AmbiguousError
        members.append(re.escape(character))
        at += 1
    raise _AmbiguousError
