"""Translate a glob of gitignore(5) to regular expressions of Python and of Nix.

git compares bytes, and its globs do more than its manual says (``wildmatch.c`` and ``dir.c`` of
git). This module follows the behaviour of git; ``tests/property/test_gitignore.py`` compares both.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final

import attrs

__all__ = ["Glob", "InexpressibleError"]


class InexpressibleError(ValueError):
    """A glob that git understands and that no regular expression of Nix can express."""


class Wild(enum.Enum):
    """A wild card of a glob. Its value is a pair: the regular expression of Python, and of POSIX."""

    ONE = (b"[^/]", "[^/]")
    SOME = (b"[^/]*", "[^/]*")  # *
    FOLDERS = (b"(?:.*/)?", "(.*/)?")  # **/
    ALL = (b".*", ".*")  # ** at the end


#: Literal bytes, a wild card, or a set of bytes of which exactly one matches.
Token = bytes | Wild | frozenset[int]

_SLASH: Final = ord("/")
_BYTES: Final = frozenset(range(1, 256)) - {_SLASH}
_ASCII: Final = frozenset(range(1, 128)) - {_SLASH}
_SPECIAL: Final = frozenset(b"*?[\\")


def _ascii(*ranges: str) -> frozenset[int]:
    return frozenset(byte for pair in ranges for byte in range(ord(pair[0]), ord(pair[1]) + 1))


_GRAPH: Final = _ascii("!~")
_ALNUM: Final = _ascii("09", "AZ", "az")
#: The classes as git's own ``ctype`` has them, whatever the locale.
_CLASSES: Final = {
    b"alnum": _ALNUM,
    b"alpha": _ascii("AZ", "az"),
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset(range(1, 32)) | {127},
    b"digit": _ascii("09"),
    b"graph": _GRAPH,
    b"lower": _ascii("az"),
    b"print": _GRAPH | {32},
    b"punct": _GRAPH - _ALNUM,
    b"space": frozenset(b" \t\n\r"),
    b"upper": _ascii("AZ"),
    b"xdigit": _ascii("09", "AF", "af"),
}


@attrs.frozen(slots=False)
class Glob:
    """A parsed glob, which matches a whole name or a whole path.

    :param tokens: the parts of the glob, in order.
    """

    tokens: tuple[Token, ...]

    @classmethod
    def parse(cls, text: bytes, *, whole_path: bool) -> Glob | None:
        """Parse a glob.

        :param text: the glob.
        :param whole_path: whether the glob is compared with a path, in which ``*`` stops at slashes,
            and not with a name.
        :returns: the glob; None if it can never match: an unclosed set, a backslash at the end, or an
            empty name.
        """
        tokens = _merged(_tokens(text, whole_path=whole_path))
        if tokens is None:
            return None
        literal = tokens[-1] if tokens and isinstance(tokens[-1], bytes) else b""
        return None if not tokens or literal.endswith(b"/") else cls(tokens)

    @property
    def literal(self) -> bytes | None:
        """The only text that matches, if the glob has no wild cards; else None."""
        first, *others = self.tokens
        return first if isinstance(first, bytes) and not others else None

    @cached_property
    def python(self) -> re.Pattern[bytes]:
        """The glob as a regular expression of Python, for ``fullmatch``."""
        return re.compile(b"".join(map(_python, self.tokens)), re.DOTALL)

    @cached_property
    def posix(self) -> str:
        """The glob as a POSIX regular expression, for ``builtins.match``.

        A wild card that stands for a whole name at the end does not match an empty name, so the
        expression can be applied to a name with or without a slash behind it.

        :raises InexpressibleError: the glob has bytes that are not UTF-8, or a set that contains only
            some of the bytes above 127.
        """
        parts = [_posix(token) for token in self.tokens]
        last, before = self.tokens[-1], self.tokens[-2] if len(self.tokens) > 1 else b"/"
        whole = before is Wild.FOLDERS or (isinstance(before, bytes) and before.endswith(b"/"))
        if last in {Wild.SOME, Wild.ALL} and whole:
            parts[-1] = parts[-1].removesuffix("*") + "+"
        return "".join(parts)


def _merged(tokens: Iterator[Token | None]) -> tuple[Token, ...] | None:
    """The tokens with neighbouring literals joined; None if a token can never match."""
    merged: list[Token] = []
    for token in tokens:
        if token is None:
            return None
        if isinstance(token, frozenset) and len(token) == 1:
            token = bytes(token)  # noqa: PLW2901 - the same token, as bytes
        if isinstance(token, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += token
        else:
            merged.append(token)
    return tuple(merged)


def _tokens(text: bytes, *, whole_path: bool) -> Iterator[Token | None]:
    at = 0
    # git compares what comes before the first special character on its own, and `**` counts as the beginning after that
    first = next((index for index, byte in enumerate(text) if byte in _SPECIAL), len(text))
    while at < len(text):
        match text[at : at + 1]:
            case b"*":
                end = at
                while text[end : end + 1] == b"*":
                    end += 1
                rest = text[end:]
                whole = whole_path and end - at > 1 and (at == first or text[at - 1] == _SLASH)
                if whole and rest[:1] == b"/":
                    yield Wild.FOLDERS
                    end += 1
                else:
                    yield Wild.ALL if whole and (not rest or rest[:2] == b"\\/") else Wild.SOME
                at = end
            case b"?":
                yield Wild.ONE
                at += 1
            case b"[":
                found, at = _set(text, at + 1)
                yield found or None
            case b"\\":
                yield text[at + 1 : at + 2] or None
                at += 2
            case byte:
                yield byte
                at += 1


def _set(text: bytes, at: int) -> tuple[frozenset[int], int]:
    """The bytes of a set, and the position behind it in the text; no bytes if the set is broken."""
    broken: frozenset[int] = frozenset()
    negated = text[at : at + 1] in {b"!", b"^"}
    at += negated
    members: set[int] = set()
    start, previous = at, 0
    while at == start or text[at : at + 1] != b"]":
        byte = text[at : at + 1]
        after = text[at + 1 : at + 2]
        if byte == b"\\":
            byte = after
            at += 1
        elif byte == b"-" and previous and after not in {b"", b"]"}:
            at += 1
            if after == b"\\":
                at += 1
            if at >= len(text):
                return broken, at
            members.update(range(previous, text[at] + 1))
            previous = 0
            at += 1
            continue
        elif byte == b"[" and after == b":":
            end = text.find(b"]", at + 2)
            if end < 0:
                return broken, at
            if end > at + 2 and text[end - 1 : end] == b":":
                known = _CLASSES.get(text[at + 2 : end - 1])
                if known is None:
                    return broken, at
                members |= known
                previous = 0
                at = end + 1
                continue
        if not byte:
            return broken, at
        previous = byte[0]
        members.add(previous)
        at += 1
    return (_BYTES - members if negated else _BYTES & members), at + 1


def _python(token: Token) -> bytes:
    match token:
        case Wild():
            return token.value[0]
        case bytes():
            return re.escape(token)
        case _:
            return b"[" + b"".join(re.escape(bytes((byte,))) for byte in sorted(token)) + b"]"


def _posix(token: Token) -> str:
    match token:
        case Wild():
            return token.value[1]
        case bytes():
            try:
                return re.sub(r"[.\[\\()*+?{|^$]", _escaped, token.decode())
            except UnicodeDecodeError as error:
                raise InexpressibleError(
                    "it is not UTF-8, and text in Nix has to be UTF-8"
                ) from error
        case _:
            return _posix_set(token)


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}" if found[0] in "\\^" else f"[{found[0]}]"


def _posix_set(members: frozenset[int]) -> str:
    beyond = members - _ASCII
    if beyond and beyond != _BYTES - _ASCII:
        raise InexpressibleError(
            "git compares single bytes, and a character outside ASCII in […] is several bytes"
        )
    if beyond:
        return f"[^{_listed(_ASCII - members | {_SLASH})}]"
    return f"[{_listed(members)}]"


def _listed(members: frozenset[int]) -> str:
    """ASCII characters ordered so that none of them is special: ``]`` first, ``^`` and ``-`` last."""
    kept = set(members)
    head = "]" if ord("]") in kept else ""
    tail = "".join(char for char in "[^-" if ord(char) in kept)
    if not head and not kept - set(b"^-") and tail == "^-":
        tail = "-^"
    kept -= set(b"][^-")
    ranges = [_runs(sorted(kept & _ascii(pair))) for pair in ("09", "AZ", "az")]
    plain = "".join(map(chr, sorted(kept - _ALNUM)))
    return head + "".join(ranges) + plain + tail


def _runs(codes: list[int]) -> str:
    """Character codes with runs shortened, such as ``0-9`` for ten consecutive digits."""
    text, at = "", 0
    while at < len(codes):
        end = at
        while end + 1 < len(codes) and codes[end + 1] == codes[end] + 1:
            end += 1
        first, last = chr(codes[at]), chr(codes[end])
        text += f"{first}-{last}" if end - at > 1 else "".join(map(chr, codes[at : end + 1]))
        at = end + 1
    return text
