"""docs/troubleshooting.md quotes messages that nixgen can print.

A quoted line has to fit a text of the code: the fixed parts of a literal or an f-string, with
anything in its placeholders. When a placeholder holds several words, they have to fit a text, too.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/troubleshooting.md"
#: Messages that other programs would complete: errors of the system, of Python, of XML; types of NixOS.
_SYSTEM = [
    *(re.escape(os.strerror(number)) for number in range(1, 135)),
    r"\[Errno \d+\] .*",
    "Connection refused",
    "not well-formed",
    "division by zero",
    "16 bit unsigned integer",
]
#: Fewer characters would fit nearly any line.
_SHORTEST = 8


def quotes() -> list[str]:
    blocks = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def test_the_page_has_quotes() -> None:
    assert len(quotes()) > 60


@pytest.mark.parametrize("line", quotes())
def test_a_quoted_line_can_be_printed(line: str) -> None:
    assert can_be_printed(line)


@pytest.mark.parametrize(
    "line",
    [
        "error: the disk of the Nix store is empty",
        "error: cannot write /srv/x: the dog has eaten it",
        "  machines.web.services.web: has no wheels",
        "  hint: hope for better times",
        "error: the builder big-1 (example.org) is on holiday today",
    ],
)
def test_an_invented_line_cannot_be_printed(line: str) -> None:
    assert not can_be_printed(line)


def can_be_printed(line: str) -> bool:
    text = re.sub(r"^ *(?:error: |hint: |at (?=[\w.-]+(?::\d+)?$))?", "", line)
    if re.fullmatch(r"[\w.-]+(?:\.py|\.json)(?::\d+)?", text):
        return True  # a place
    # the path of a model, or a target, before what is wrong there
    path = re.match(r"[a-z]+\.\S+: ", text)
    return fits(text) or (path is not None and fits(text[path.end() :]))


def fits(text: str) -> bool:
    """Whether a text of the code gives this one, with plain values in its placeholders."""
    return any(
        all(is_value(part) for part in found.groups())
        for template in templates()
        if (found := template.fullmatch(text))
    )


def is_value(part: str) -> bool:
    """A name, path, number or list of those; or words that are a text of the code or of the system."""
    part = re.sub(r"^\([^)]*\) |^\S+:\d+ ", "", part.strip())
    if sum(word.isalpha() and word.islower() for word in re.split(r"[ ,]+", part)) < 2:
        return True
    return any(re.fullmatch(each, part) for each in _SYSTEM) or fits(part)


@cache
def templates() -> list[re.Pattern[str]]:
    found = {
        pattern("".join("\0" if part is None else part for part in parts))
        for file in (REPOSITORY / "nixgen").rglob("*.py")
        for parts in texts(ast.parse(file.read_text()))
        if sum(len(part) for part in parts if part) >= _SHORTEST
    }
    found |= set(nix_texts())
    return [re.compile(each, re.DOTALL) for each in sorted(found)]


def texts(code: ast.Module) -> Iterator[list[str | None]]:
    """The parts of every text but docstrings; None is a placeholder."""
    docstrings = {id(node.value) for node in ast.walk(code) if isinstance(node, ast.Expr)}
    for node in ast.walk(code):
        if id(node) in docstrings:
            continue
        match node:
            case ast.Constant(str()) | ast.JoinedStr() | ast.BinOp(op=ast.Add()):
                yield parts_of(node)


def parts_of(node: ast.expr) -> list[str | None]:
    match node:
        case ast.Constant(str() as text):
            return [text]
        case ast.JoinedStr(values):
            return [each.value if isinstance(each, ast.Constant) else None for each in values]
        case ast.BinOp(left, ast.Add(), right):
            return [*parts_of(left), *parts_of(right)]
    return [None]


def nix_texts() -> Iterable[str]:
    """The lines of nix/, and the strings in them, as patterns; a line may end before its full stop."""
    for file in (REPOSITORY / "nix").rglob("*.nix"):
        content = re.sub(r"\$\{[^}\n]*\}", "\0", file.read_text())
        for line in map(str.strip, content.splitlines()):
            for text in [line, *re.findall(r'"((?:[^"\\]|\\.)*)"', line)]:
                first = text.partition("\\n")[0].rstrip(".")
                if len(first.replace("\0", "")) >= _SHORTEST:
                    yield pattern(first) + r"\.?"


def pattern(text: str) -> str:
    """A regular expression for a text whose placeholders are NUL characters."""
    return "(.*?)".join(map(re.escape, re.split("\0+", text)))
