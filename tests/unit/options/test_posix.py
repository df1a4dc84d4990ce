"""POSIX extended regular expressions. The table holds the answers of Nix's ``builtins.match``, which
tests/property compares.
"""

from __future__ import annotations

import pytest

from nixgen.options.posix import matches


@pytest.mark.parametrize(
    ("pattern", "text", "verdict"),
    [
        ("a|bc", "bc", True),
        ("a|bc", "ab", False),
        ("a.c", "a\nc", True),
        ("^a$", "a", True),
        ("^$|^[[:alpha:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$", "web-1", True),
        ("^$|^[[:alpha:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$", "1web", False),
        ("[[:digit:]]{2}:[[:digit:]]{2}", "09:30", True),
        ("[[:digit:].]+[KMGTP]?", "1.5G", True),
        (r"\.", ".", True),
        (r"\.", "a", False),
        (r"[\.]", "\\", True),  # a backslash is nothing special in brackets
        (r"[^/{}]+", "a/b", False),
        ("[]a]+", "]a", True),
        ("[^]a]+", "]", False),
        ("[a-]+", "-", True),
        (".{1,4}", "ééé", False),  # bytes
        (".{1,6}", "ééé", True),
        ("[[:print:]]*", "é", False),
        ("(http|https|nfs|smb)://.+", "nfs://a", True),
    ],
)
def test_matches(pattern: str, text: str, *, verdict: bool) -> None:
    assert matches(pattern, text) is verdict


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\d+", "1"),
        (r"(a)\1", "aa"),
        ("(?i)a", "a"),
        ("a*?", "a"),
        ("a++", "a"),
        ("a{", "a{"),
        ("[a", "a"),
        ("[[:word:]]", "a"),
        ("[[.a.]]", "a"),
        ("[z-a]", "a"),
        (r"[\-.]", "-"),
        ("[±]", "±"),
        ("(a", "a"),
        ("^a", "a\n"),
    ],
)
def test_ambiguous_patterns_are_not_decided(pattern: str, text: str) -> None:
    assert matches(pattern, text) is None
