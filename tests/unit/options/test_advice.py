"""Hints with the Python to write instead of a value of the wrong type."""

from __future__ import annotations

from typing import Any

import pytest

from nixgen.models import Package, Source, text
from nixgen.options.advice import advice, example
from nixgen.options.fitting import Verdict, answer
from nixgen.options.grammar import parse

HELLO = Package("hello")
_PORT = "16 bit unsigned integer; between 0 and 65535 (both inclusive)"
_PATH = "write an absolute path, or Source('site') for a file of the project"
_SLASH = 'a path in it is written with /, as in Package("nginx") / "bin/nginx"'


@pytest.mark.parametrize(
    ("value", "words", "said"),
    [
        ("yes", "boolean", "write True"),
        ("off", "null or boolean", "write False"),
        (0, "boolean", "write False"),
        (2, "boolean", "for example True"),
        (True, "string", "write 'true'"),
        (True, 'one of "yes", "no"', "write 'yes'"),
        ("80", _PORT, "write 80"),
        ("80", f"list of {_PORT}", "for example [1]"),
        (80, f"list of {_PORT}", "write [80]"),
        ("99999", _PORT, "for example 1"),
        (1, "floating point number", "write 1.0"),
        ("1.5", "floating point number", "write 1.5"),
        (5, "string", "write '5'"),
        ("a", "list of string", "write ['a']"),
        (("a",), "string", "write 'a'"),
        ("hello", "package", "write Package('hello')"),
        ("hello", "list of package", "write [Package('hello')]"),
        ("a b", "package", "for example Package('hello')"),
        ("site", "null or path", _PATH),
        ("site", "list of path", _PATH),
        (Source("site"), "list of path", "write [Source('site')]"),
        (HELLO, "string", _SLASH),
        (HELLO, "list of string", _SLASH),
        ("debg", 'null or one of "debug", "info"', "did you mean 'debug'?"),
        ({}, "attribute set of string", "for example {'name': 'text'}"),
        (None, "string", "for example 'text'"),
        (1, "systemd option", None),
        (1, "null or (submodule)", None),
        (text("a${b}", b=HELLO), "boolean", "for example True"),
    ],
)
def test_advice(value: Any, words: str, said: str | None) -> None:
    assert advice(value, parse(words)) == said


@pytest.mark.parametrize(
    "words",
    [
        "boolean",
        "signed integer",
        "floating point number",
        "integer between 300 and 399 (both inclusive)",
        "integer between -20 and -10 (both inclusive)",
        "integer or floating point number between 0 and 0.5 (both inclusive)",
        "string",
        "non-empty string",
        "string matching the pattern [[:digit:]]{2}:[[:digit:]]{2}",
        "absolute path",
        "relative path",
        "package",
        'one of "a", "b"',
        "non-empty (list of string)",
        "pair of signed integer",
        "attribute set of list of boolean",
        "null or string",
    ],
)
def test_examples_are_of_the_type(words: str) -> None:
    shown = example(parse(words))
    assert shown is not None
    value = eval(shown, {"Package": Package})
    assert answer(value, parse(words)).verdict is Verdict.FITS
