"""Forms of a secret's value, written by the programs that write them, whole and across windows."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote

import pytest

from nixgen.cache.push.leaks import Scanner

WINDOW = 256 << 10
TEXT = "pa'ss-\U0001f511w\u00f6rd-\U0010fffeval&e"
"""Quotes, punctuation, a letter of two bytes, and characters of four at both ends of their range."""


def found(value: str, text: bytes, *, shift: int = 0) -> bool:
    """Whether the value is found in a text, of which ``shift`` bytes lie before a window's end."""
    data = bytes(WINDOW - shift) + text + bytes(WINDOW)
    pieces = [data[at : at + WINDOW] for at in range(0, len(data), WINDOW)]
    return bool(Scanner.of({"it": value.encode()}).scan(pieces))


def octal(text: str) -> str:
    """As bash's ``printf %q`` writes bytes that it does not print."""
    return "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"\\{byte:03o}"
        for byte in text.encode()
    )


WRITERS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "Python": lambda text: text.encode("unicode_escape").decode(),
    "Python's bytes": lambda text: repr(text.encode()),
    "JavaScript": lambda text: "".join(
        letter if letter.isalnum() and letter.isascii() else f"\\u{{{ord(letter):x}}}"
        for letter in text
    ),
    "octal": octal,
    "octal with a zero": lambda text: octal(text).replace("\\", "\\0"),
    "percent": quote,
    "percent twice": lambda text: quote(quote(text)),
    "HTML": html.escape,
    "HTML in HTML": lambda text: html.escape(html.escape(text)),
    "HTML in numbers": lambda text: "".join(
        letter if letter.isalnum() and letter.isascii() else f"&#{ord(letter)};" for letter in text
    ),
    "shell": shlex.quote,
    "shell in shell": lambda text: shlex.quote(shlex.quote(text)),
    "shell three times": lambda text: shlex.quote(shlex.quote(shlex.quote(text))),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_value_is_found_as_programs_write_it(writer: str) -> None:
    written = WRITERS[writer](TEXT).encode()
    assert found(TEXT, b"before " + written + b" after")
    assert not found(TEXT, b"before " + written.replace(b"ss", b"sS") + b" after")


PUNCTUATION = f"begin{'-' * 40}end"
QUOTES = f"begin{chr(39) * 12}end"


@pytest.mark.parametrize(
    ("value", "writer"),
    [(TEXT, "HTML in numbers"), (PUNCTUATION, "HTML in numbers"), (QUOTES, "shell three times")],
)
def test_a_long_form_is_found_wherever_a_window_ends(value: str, writer: str) -> None:
    written = WRITERS[writer](value).encode()
    for shift in (1, len(written) // 2, len(written) - 1):
        assert found(value, written, shift=shift)


def test_encoded_values_are_found_in_lines_with_indentations_wherever_a_window_ends() -> None:
    value = "correct horse battery"
    digits = value.encode().hex()
    hexadecimal = "\n      ".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    letters = base64.b64encode(value.encode()).decode()
    lines = "\n      ".join(letters[at : at + 4] for at in range(0, len(letters), 4))
    for written in (hexadecimal.encode(), lines.encode()):
        for shift in (1, len(written) // 2, len(written) - 1):
            assert found(value, written, shift=shift)


@pytest.mark.parametrize("part", ["longest-word", "longest", "correct-longest"])
def test_a_part_of_a_value_is_not_the_value(part: str) -> None:
    assert not found("correct-longest-word", f"a {part} b".encode())


def test_each_long_line_of_a_value_is_searched_for_by_itself() -> None:
    short, long = "fifteen letters", "a line of sixteen"
    value = f"{short}\n  {long}  "
    assert found(value, f"x {long} y".encode())
    assert not found(value, f"x {short} y".encode())
    assert not found(f"{long} and more of it", f"x {long} y".encode())
    header = "-----BEGIN PRIVATE KEY-----"
    assert not found(f"{header}\n{long}", f"x {header} y".encode())
    assert found(f"{'s' * 16}\nx", b"s" * 16)
    assert not found(f"{'s' * 15}\nx", b"s" * 15)
