"""Lines of .gitignore files, as gitignore(5) and git itself have them. What git does with any of them: tests/property."""

from __future__ import annotations

import pytest

from nixgen.gitignore import InexpressibleError, Scope, decision, is_ignored, parse, parse_pattern


@pytest.mark.parametrize(
    ("line", "yes", "no"),
    [
        ("*.log", ["a.log", "x/y/.log"], ["a.logs", "a.log/b"]),
        ("/a", ["a"], ["x/a"]),
        ("a/b", ["a/b"], ["x/a/b", "a/b/c"]),
        ("build/", ["build//", "x/build//"], ["build"]),
        ("**/a", ["a", "x/y/a"], ["xa"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab"]),
        ("a/*", ["a/b"], ["a/b/c", "a"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[a-c]", ["b"], ["d"]),
        ("[!a-c]", ["d"], ["b"]),
        ("[[:upper:]]1", ["A1"], ["a1"]),
        ("\\#x", ["#x"], ["\\#x"]),
        ("\\!x", ["!x"], ["x"]),
        ("x\\ ", ["x "], ["x"]),
        ("x   ", ["x"], ["x   "]),
        ("x\t", ["x\t"], ["x"]),
        ("a\\*b", ["a*b"], ["axb"]),
        # git compares what stands before the first wild card on its own, and forgets it
        ("a**/b", ["ab", "ax/y/b"], ["b"]),
        # `?` is a byte, of which this letter has two
        ("??", ["é", "ab"], ["a"]),
    ],
)
def test_a_line(line: str, yes: list[str], no: list[str]) -> None:
    """A path with two slashes at its end is a folder."""
    scopes = [Scope(b"", tuple(parse(line.encode())))]
    for path in (*yes, *no):
        folder = path.endswith("//")
        ignored = is_ignored(scopes, path.removesuffix("//").encode(), folder=folder)
        assert ignored == (path in yes), path


@pytest.mark.parametrize(
    "line", ["", "   ", "# comment", "!", "/", "//", "a//", "[a", "[[:nonsense:]]", "a\\"]
)
def test_lines_that_match_nothing_are_no_rules(line: str) -> None:
    assert list(parse(line.encode())) == []
    assert parse_pattern(line) is None


def test_a_file_is_bytes() -> None:
    rules = list(parse(b"\xef\xbb\xbfa\r\nb\r\r\n#\xff\n\xff\0rest\n\ny"))
    assert [(rule.glob.literal, rule.line) for rule in rules] == [
        (b"a", 1),
        (b"b\r", 2),
        (b"\xff", 4),
        (b"y", 6),
    ]


def test_the_last_rule_of_the_innermost_file_decides() -> None:
    outer = Scope(b"", tuple(parse(b"*.log\n!keep.log\n")))
    inner = Scope(b"a/b", tuple(parse(b"/keep.log\n")))
    assert is_ignored([outer], b"a/x.log", folder=False)
    assert not is_ignored([outer], b"a/b/keep.log", folder=False)
    found = decision([outer, inner], b"a/b/keep.log", folder=False)
    assert found == (inner, inner.rules[0])
    assert not is_ignored([outer, inner], b"a/b/c/keep.log", folder=False)
    assert decision([outer, inner], b"a/b/other", folder=False) is None


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        ("*.log", "[^/]*[.]log"),
        ("*", "[^/]+"),
        ("build/", "build/"),
        ("/a/**/b c", "a/(.*/)?b c"),
        ("a/**", "a/.+"),
        ("a+b(c){d}|^$\\\\", r"a[+]b[(]c[)][{]d}[|]\^[$]\\"),
        ("[!a-z]", "[^a-z/]"),
        ("[]^-]", "[]^-]"),
        ("[abcx-z3]", "[3a-cx-z]"),
        ("[a]", "a"),
        ("é", "é"),
    ],
)
def test_expressions_for_nix(line: str, expression: str) -> None:
    (rule,) = parse(line.encode())
    assert rule.posix == expression


@pytest.mark.parametrize(
    "line", [b"caf\xe9", "[éè]".encode(), "x[!é]".encode(), b"[\x80-\xff]x\xff"]
)
def test_what_nix_cannot_say(line: bytes) -> None:
    (rule,) = parse(line)
    with pytest.raises(InexpressibleError):
        _ = rule.posix
