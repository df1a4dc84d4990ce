"""The forms of a secret's value in files: as it is, escaped by a writer, or encoded.

The escapes are those of the formats that nixgen writes, and of texts that are common inside them:
JSON, YAML, systemd units, Nix, shell, percent-encoding (RFC 3986) and XML. They may be nested, such
as shell in JSON in YAML, so a backslash may be repeated. A form with escapes is a regular
expression over bytes. It is slow, so it is tried only where its anchor occurs: a piece of the value
that no writer changes.

Encodings use few letters. Writers put ends of lines or colons between them, which mean nothing to a
reader. So encodings are searched for in a copy of the bytes without such characters (`alphabets`).
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum

from attrs import frozen

__all__ = ["Alphabet", "Form", "alphabets", "forms"]


class Alphabet(IntEnum):
    """The copy of the bytes that a form is searched in."""

    #: The bytes themselves.
    EXACT = 0
    #: Small letters, because hexadecimal digits are written in both; no blanks and
    #: separators, and no marks before a byte, such as ``%`` and ``0x``.
    HEXADECIMAL = 1
    #: ``+`` and ``/`` for ``-`` and ``_``, because base64 has two alphabets (RFC 4648); no blanks.
    BASE64 = 2


def alphabets(window: bytes) -> tuple[bytes, ...]:
    """Copies of a piece of a file, one for each `Alphabet`, in the order of their numbers.

    :param window: Piece of a file.
    """
    # JSON writes the end of a line as a backslash and a letter
    joined = window.replace(b"\\r", b"").replace(b"\\n", b"")
    return (
        window,
        # 0x1f, is a byte in C, \x1f in many languages, %1f in a URL, and &#x1f; in XML
        joined.replace(b"0x", b"").translate(_SMALL_LETTERS, b" \t\r\n\\:-,;%&#xX"),
        joined.translate(_ONE_ALPHABET, b" \t\r\n\\"),
    )


_SMALL_LETTERS = bytes(range(256)).lower()
_ONE_ALPHABET = bytes.maketrans(b"-_", b"+/")


@frozen(kw_only=True, repr=False)
class Form:
    """One form of a value. It has no representation: its parts show the value.

    :param alphabet: Copy of the bytes that it is searched in.
    :param anchor: Piece that occurs wherever the form does. Empty when the value has no piece that
        every writer leaves alone.
    :param pattern: Regular expression of the whole form. None when the anchor is all of it.
    :param reach: Most bytes of a file that the form takes up.
    """

    alphabet: Alphabet
    anchor: bytes
    pattern: re.Pattern[bytes] | None = None
    reach: int

    def is_in(self, window: bytes) -> bool:
        """Whether the form occurs in a piece of a file.

        :param window: Copy of the piece in the form's alphabet.
        """
        if self.anchor not in window:
            return False
        return self.pattern is None or self.pattern.search(window) is not None


LEAST_LINE = 16
"""Least bytes of a line of a value that is searched for by itself."""


def forms(value: bytes) -> Iterator[Form]:
    """Every form that is searched for.

    :param value: Value of a secret, at least 8 bytes. Of a value with several lines, each long line
        is searched for by itself as well, because a reader takes a file apart into lines.
    """
    yield _escaped(value)
    yield from _wide(value)
    yield _hexadecimal(value)
    for offset in range(3):
        yield _base64(value, offset)
    lines = value.splitlines()
    if len(lines) > 1:
        for line in dict.fromkeys(map(bytes.strip, lines)):
            # "-----BEGIN PRIVATE KEY-----" is a line of every key
            if len(line) >= LEAST_LINE and not line.startswith(b"-----"):
                yield _escaped(line)


# Writers may put an indentation between two lines, and YAML the backslashes that continue a quoted
# line.
_INDENT = rb"[ \t]{0,80}"
_CONTINUED = rb"(?:\\+\n" + _INDENT + rb"\\*)?"
# The percent sign may itself be escaped: by another round of percent-encoding, or doubled for
# systemd.
_PERCENT = rb"%{1,4}(?:25)*"
_NAMES = {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}
_QUOTES = "'\"\\"
_PLAIN = re.compile(rb"[A-Za-z0-9_]+")
# Bytes of one character, at most: five apostrophes for one, three times over.
_LONGEST_ESCAPE = 125


def _escaped(value: bytes) -> Form:
    """The value as text, in which every character but letters and digits may be escaped."""
    try:
        characters: Iterable[str] = value.decode()
        spell = _character
    except UnicodeDecodeError:
        characters = value.decode("latin-1")
        spell = _byte
    pieces = []
    reach = 0
    # One loop for each run of equal characters: the regular expression would try all combinations
    # of adjacent loops that match the same bytes.
    for kind, run in itertools.groupby(
        characters, lambda each: _QUOTES if each in _QUOTES else each
    ):
        count = sum(1 for _ in run)
        if kind.isascii() and (kind.isalnum() or kind == "_"):
            pieces.append(kind.encode() * count)
            reach += count
        else:
            # systemd, Nix, YAML and CSV double a character; the escapes of quotes and backslashes
            # depend on their neighbours
            most = _LONGEST_ESCAPE if kind == _QUOTES else 4
            ways = b"|".join(spell(each) for each in kind)
            pieces.append(b"(?:" + ways + b"){%d,%d}" % (count, most * count))
            reach += _LONGEST_ESCAPE * count
    anchor = max(_PLAIN.findall(value), key=len, default=b"")
    return Form(
        alphabet=Alphabet.EXACT,
        anchor=anchor,
        pattern=re.compile(b"".join(pieces)),
        reach=reach,
    )


def _character(character: str) -> bytes:
    """A pattern for one character that a writer may escape."""
    code = ord(character)
    encoded = character.encode()
    literal = re.escape(encoded)
    ways = [
        *_WAYS.get(character, () if character in _QUOTES else (rb"\\{0,16}" + literal,)),
        rb"&(?:amp;)*#(?:0*%d|[xX]0*(?i:%x));" % (code, code),
        b"".join(_PERCENT + rb"(?i:%02x)" % byte for byte in encoded),
        rb"\\+(?i:u%04x|u\{0*%x\}|U%08x)" % (code, code, code),
        b"".join(rb"\\+(?i:x%02x)" % byte for byte in encoded),
        b"".join(rb"\\+0?%03o" % byte for byte in encoded),
    ]
    if code > 0xFFFF:
        high, low = divmod(code - 0x10000, 0x400)
        ways.append(rb"\\+(?i:u%04x)\\+(?i:u%04x)" % (0xD800 + high, 0xDC00 + low))
    if code < 0x100:
        ways.append(rb"\\+(?i:x%02x)" % code)
    if character in _NAMES:
        ways.append(rb"&(?:amp;)*%s;" % _NAMES[character])
    if character in _QUOTES:
        # last, or the backslash of an escape would be taken for one
        ways.append(literal)
    return b"(?:" + b"|".join(ways) + b")" + _CONTINUED


_NEWLINE = (
    rb"(?:\\+r|\r|" + _PERCENT + rb"0[dD]|&#13;)?"
    rb"(?:\\+n|\\+012|\\+x0[aA]|\\+u000[aA]|" + _PERCENT + rb"0[aA]|&#(?:10|x[aA]);|\n)"
)

_WAYS = {
    # an indentation may follow the end of a line, and YAML adds an empty line where it folds
    "\n": (_NEWLINE + rb"(?:\n)?" + _INDENT,),
    **{
        character: (re.escape(character.encode()), rb"\\+" + letter)
        for character, letter in zip(
            "\r\t\b\f\v\a\x1b\xa0", map(bytes, zip(b"rtbfvae_")), strict=True
        )
    },
    # YAML takes them for ends of lines
    "\x85": (rb"\\+N", "\x85".encode() + rb"\n?" + _INDENT),
    "\u2028": (rb"\\+L", "\u2028".encode() + rb"\n?" + _INDENT),
    "\u2029": (rb"\\+P", "\u2029".encode() + rb"\n?" + _INDENT),
    # forms of HTML, of systemd, and a line that YAML folds
    " ": (rb"\\{0,16} ", rb"\+", rb"\\+s", rb"\\*\n" + _INDENT + rb"\\* ?"),
    # Nix' indented strings
    "$": (rb"(?:'')?\\{0,16}\$",),
}


def _byte(character: str) -> bytes:
    """A pattern for one byte of a value that is not UTF-8."""
    byte = ord(character)
    if byte < 0x80:
        return _character(character)
    return (
        b"(?:"
        + re.escape(bytes([byte]))
        + rb"|\\+(?i:x%02x)|\\+0?%03o|%%{1,4}(?:25)*(?i:%02x))" % (byte, byte, byte)
    )


def _wide(value: bytes) -> Iterator[Form]:
    """The value in UTF-16, in both orders of bytes."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    for encoding in ("utf-16-le", "utf-16-be"):
        wide = text.encode(encoding)
        yield Form(alphabet=Alphabet.EXACT, anchor=wide, reach=len(wide))


# Ends of lines and indentations make an encoded value longer by at most this factor: 80 for every
# 15 bytes.
_BROKEN = 8


def _hexadecimal(value: bytes) -> Form:
    """The value in hexadecimal, with any separators between bytes and lines."""
    digits = value.hex().encode()
    return Form(alphabet=Alphabet.HEXADECIMAL, anchor=digits, reach=len(digits) * _BROKEN)


def _base64(value: bytes, offset: int) -> Form:
    """The value in base64, also broken into lines.

    :param offset: bytes before the value, modulo three.
    """
    encoded = base64.b64encode(bytes(offset) + value).rstrip(b"=")
    # three bytes are four letters, and the first and last letters also hold bits of neighbouring
    # bytes
    shared = (0, 2, 3)[offset]
    whole = encoded[shared : len(encoded) - ((offset + len(value)) % 3 != 0)]
    return Form(alphabet=Alphabet.BASE64, anchor=whole, reach=len(whole) * _BROKEN)
