"""Nix reads each printed literal as the value that Python had."""

from __future__ import annotations

import itertools
import json
import os.path
import sys

import pytest
import rfc166
from hypothesis import strategies as st

from nixgen import syntax

pytestmark = pytest.mark.real

# Whatever means something to one of Nix's two string lexers, in all combinations.
FRAGMENTS = (
    "''", "'", "$", "$$", "${", "{", "}", "${x}", "''${", "''\\", "\\", "\\n", '"', "\n", "\n\n", "\n ",
    "\n  ", " \n", "\n\t", "\r", "\r\n", "\t", " ", "  ", "a", "b c", "é", "日本", "\U0001f600", "\u2028", "\x85",
    "\x01", "\x1b", "\x7f", "#", "/*", "*/", ";", "\ufeff",
)  # fmt: skip
CHARACTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
NASTY = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
# A line that starts at the margin, so that the ''…'' form is really taken.
SCRIPTS = st.lists(NASTY.map(lambda text: text.replace("\r", "")), min_size=1, max_size=5).map(
    lambda lines: "set -e\n" + "\n".join(line.rstrip() for line in lines)
)
TEXTS = NASTY | SCRIPTS | st.text(CHARACTERS, max_size=30)
KEYWORDS = (
    "if",
    "then",
    "else",
    "assert",
    "with",
    "let",
    "in",
    "rec",
    "inherit",
    "or",
    "null",
    "true",
)
NAMES = TEXTS | st.sampled_from(("", *KEYWORDS, "a-b", "a'", "1a", "-a", "a.b", "__curPos", "_"))
INTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    (-(2**63), 2**63 - 1, -(2**63) + 1, 0, -1)
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False) | st.sampled_from(
    (0.0, -0.0, 1e-06, 1e16, 1e22, 1e300, -1e-300, 0.1, 5e-324 * 2**60, sys.float_info.min, sys.float_info.max)
)  # fmt: skip
# A set with one of these serialises as something else.
PLAIN_NAMES = NAMES.filter(lambda name: name not in {"outPath", "__toString"})
VALUES = st.recursive(
    st.none() | st.booleans() | INTS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN_NAMES, inner, max_size=4),
    max_leaves=12,
)


COMPARE_FLOATS = """
let
  actual = %s;
  expected = builtins.fromJSON (builtins.readFile ./expected.json);
  same = i:
    let value = builtins.elemAt actual i;
    in builtins.isFloat value && value == builtins.elemAt expected i;
in
assert builtins.length expected == builtins.length actual;
builtins.genList same (builtins.length actual)
"""


def list_of(expressions):
    return syntax.print_file(syntax.List(tuple(expressions))).text


def same(left, right):
    """Equality that tells 1 from True and from 1.0."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def test_values(nix, holds):
    def law(values):
        read = nix.evaluate(list_of(map(syntax.quote, values)))
        return [same(*pair) for pair in zip(values, read, strict=True)]

    holds(VALUES, law)


# nixfmt moves what stands beside a key that is as long as a line, and breaks the smallest number in two
_FORMED = st.recursive(
    st.none() | st.booleans() | INTS.filter(lambda number: number > -(2**63)) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES.filter(lambda name: len(name) < 30), inner, max_size=4)
    ),
    max_leaves=12,
)


@rfc166.WANTED
def test_values_have_the_form_of_rfc_166(holds, tmp_path):
    def law(values):
        texts = [syntax.print_file(syntax.quote(value)).text for value in values]
        formed = rfc166.formatted(texts, tmp_path / "formed")
        return [left == right for left, right in zip(texts, formed, strict=True)]

    holds(_FORMED, law)


@pytest.mark.parametrize("texts", [NASTY, SCRIPTS, TEXTS], ids=["nasty", "scripts", "any"])
def test_texts(nix, holds, texts):
    """In three surroundings: an item, a binding, and an argument below other text."""

    def law(values):
        quoted = [syntax.Str(value) for value in values]
        pick = syntax.Lambda("x", syntax.Select(syntax.Var("x"), ("y",)))
        expressions = []
        for text in quoted:
            bound = syntax.AttrSet({"y": text, "z": syntax.List((text, text))})
            expressions += [text, syntax.Select(bound, ("y",)), syntax.Call(pick, (bound,))]
        read = nix.evaluate(list_of(expressions))
        thrice = [value for value in values for _ in range(3)]
        equal = [left == right for left, right in zip(thrice, read, strict=True)]
        return [all(equal[at : at + 3]) for at in range(0, len(equal), 3)]

    holds(texts, law)


def test_scripts_take_the_indented_form(holds):
    """Otherwise the laws above would say nothing about it."""
    share = []

    def law(values):
        share.extend(syntax.print_expr(syntax.Str(value)).startswith("''") for value in values)
        return [True] * len(values)

    holds(SCRIPTS, law)
    assert sum(share) > len(share) // 3


def test_names(nix, holds):
    def law(names):
        sets = [syntax.AttrSet({(name, "x"): syntax.Null()}) for name in names]
        read = nix.evaluate(f"map builtins.attrNames ({list_of(sets)})")
        return [[name] == names_read for name, names_read in zip(names, read, strict=True)]

    holds(NAMES, law)


def test_selected_names(nix, holds):
    def law(names):
        selections = [
            syntax.Select(syntax.AttrSet({name: syntax.AttrSet({"b": syntax.Int(7)})}), (name, "b"))
            for name in names
        ]
        return [value == 7 for value in nix.evaluate(list_of(selections))]

    holds(NAMES, law)


def test_floats(nix, holds):
    """Compared inside Nix with the same number read from JSON: Nix 2.8 writes six digits."""

    def law(values):
        (nix.folder / "expected.json").write_text(json.dumps(values))
        return nix.evaluate(COMPARE_FLOATS % list_of(map(syntax.quote, values)))

    holds(FLOATS, law)


def test_relative_paths(nix, holds):
    names = st.text(
        CHARACTERS.filter(lambda c: c != "/"), min_size=1, max_size=6
    ) | st.sampled_from(("..", ".", "a b", "a", "${x}", "~", "a+b", '"', "é"))

    def law(paths):
        expressions = [syntax.Call(syntax.Var("toString"), (syntax.Path(path),)) for path in paths]
        read = nix.evaluate(list_of(expressions))
        # Nix resolves `..` by the names alone, as normpath does.
        wanted = [os.path.normpath(f"{nix.folder}/{path}") for path in paths]
        return [left == right for left, right in zip(wanted, read, strict=True)]

    holds(st.lists(names, max_size=4).map("/".join), law)


def test_antiquotations(nix, holds):
    """Nasty texts around expressions, in both forms of a string."""
    value = st.sampled_from(("v", "w"))
    meaning = {"v": "V\n ''${", "w": ""}
    parts = st.lists(TEXTS | SCRIPTS | value.map(syntax.Var), max_size=5)

    def law(batch):
        strings = syntax.List(tuple(map(syntax.Interpolation, batch)))
        bound = syntax.Let({name: syntax.Str(text) for name, text in meaning.items()}, strings)
        read = nix.evaluate(syntax.print_file(bound).text)
        wanted = [
            "".join(meaning[part.name] if isinstance(part, syntax.Var) else part for part in parts)
            for parts in batch
        ]
        return [left == right for left, right in zip(wanted, read, strict=True)]

    holds(parts, law)


def test_the_edges_of_antiquotations(nix):
    """Whatever could swallow or make a `${`, on both sides of one, in both forms of a string."""
    edges = (
        "", "$", "$$", "'", "''", "'''", "'$", "''$", "\\", "{", "${", "$${", '"', "\n", "\n$", "\n'", "\n ",
    )  # fmt: skip
    texts = [
        (start + before, after + end)
        for start, end in (("", ""), ("a\n", "b"), ("a\n", "\n"))
        for before in edges
        for after in edges
    ]
    strings = [syntax.Interpolation((before, syntax.Var("v"), after)) for before, after in texts]
    expression = syntax.Let({"v": syntax.Str("V")}, syntax.List(strings))
    read = nix.evaluate(syntax.print_file(expression).text)
    assert read == [f"{before}V{after}" for before, after in texts]


def test_the_edges_of_texts(nix):
    """All sequences of three pieces with a meaning, in the middle and at the end of a script."""
    edges = ("", "$", "'", "''", "\\", "{", "${", '"', "\n", "\n  ", "\t", "a")
    middles = ["".join(pieces) for pieces in itertools.product(edges, repeat=3)]
    texts = sorted({f"a\n{middle}{end}" for middle in middles for end in ("", "\n", "\nb")})
    assert nix.evaluate(list_of(map(syntax.Str, texts))) == texts


def test_comments_change_nothing(nix, holds):
    def law(comments):
        expressions = [
            syntax.AttrSet({"a": syntax.Commented(text, syntax.Int(1))}) for text in comments
        ]
        read = nix.evaluate(
            syntax.print_file(syntax.List(expressions), comment="".join(comments)).text
        )
        return [value == {"a": 1} for value in read]

    holds(TEXTS, law)


def test_printing_twice_gives_the_same_text(holds):
    def law(values):
        return [
            syntax.print_file(syntax.quote(value)) == syntax.print_file(syntax.quote(value))
            for value in values
        ]

    holds(VALUES, law)
