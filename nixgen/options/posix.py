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
#: A class, both ends of a range, or a character.
_MEMBER = re.compile(r"\[:(\w+):\]|(.)-([^\]])|(.)", re.DOTALL)


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
    first = at + 1
    members = ["["]
    if pattern[first : first + 1] == "^":
        members.append("^")
        first += 1
    for member in _MEMBER.finditer(pattern, first):
        here, after = member.start(), pattern[member.start() + 1 : member.start() + 2]
        if pattern[here] == "]" and here > first:
            return "".join([*members, "]"]), here + 1
        named, low, high, single = member.groups()
        if named in _CLASSES:
            members.append(_CLASSES[named])
        elif low and "-" != low <= high != "[" and high.isascii():
            members.append(f"{re.escape(low)}-{re.escape(high)}")
        elif single and single.isascii() and (single != "[" or after not in {".", "=", ":"}):
            members.append(re.escape(single))
        else:  # such as a character of several bytes, each of which would be a member
            raise _AmbiguousError
    raise _AmbiguousError
