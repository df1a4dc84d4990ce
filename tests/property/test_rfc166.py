"""nixfmt leaves random printed modules unchanged."""

from __future__ import annotations

import pytest
import rfc166
from hypothesis import strategies as st

from nixgen import syntax

pytestmark = [
    rfc166.WANTED,
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),  # of a deep strategy
]

NAMES = [
    "a",
    "a b",
    "enable",
    "services",
    "environment",
    "long-name-of-an-option",
    "text",
    "k" * 60,
]
KEYS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(tuple)
TEXTS = st.sampled_from(["", "x", "a b", "w" * 40, "w" * 90, "w" * 130, "set -e\necho\n"])
WORDS = st.sampled_from(["x", "staging", "w" * 40]).map(syntax.Str)
VARIABLES = st.sampled_from(["check", "pkgs", "lib"]).map(syntax.Var)
NAMED = VARIABLES | st.builds(syntax.Select, VARIABLES, KEYS)
LEAVES = st.one_of(
    TEXTS.map(syntax.Str),
    NAMED,
    st.sampled_from(["../x.nix", "../a b", "../" + "p" * 90]).map(syntax.Path),
    st.integers(-3, 3).map(syntax.Int),
    st.booleans().map(syntax.Bool),
)


def call(name: tuple[str, ...], *arguments: syntax.Expr) -> syntax.Expr:
    first, *rest = name
    function = syntax.Select(syntax.Var(first), tuple(rest)) if rest else syntax.Var(first)
    return syntax.Call(function, arguments)


INHERITS = st.lists(
    st.builds(
        syntax.Inherit, st.sampled_from([["base"], ["base", "system"]]), st.none() | VARIABLES
    ),
    max_size=1,
)


def sets(inner: st.SearchStrategy[syntax.Expr], least: int = 0) -> st.SearchStrategy[syntax.Expr]:
    pairs = st.lists(
        st.tuples(KEYS, inner), unique_by=lambda pair: pair[0][0], min_size=least, max_size=3
    )
    return st.builds(lambda inherits, rest: syntax.AttrSet([*inherits, *rest]), INHERITS, pairs)


def extend(inner: st.SearchStrategy[syntax.Expr]) -> st.SearchStrategy[syntax.Expr]:
    lists = st.lists(inner, max_size=3).map(syntax.List)
    return st.one_of(
        sets(inner),
        lists,
        st.builds(
            lambda a, b: syntax.BinaryOp("//", a, b), NAMED | sets(inner), NAMED | sets(inner)
        ),
        st.builds(lambda a, b: syntax.BinaryOp("++", a, b), NAMED | lists, lists),
        st.builds(lambda a: call(("lib", "mkForce"), a), inner),
        st.builds(lambda a, b: call(("pkgs", "writeText"), a, b), WORDS, TEXTS.map(syntax.Str)),
        st.builds(lambda a: call(("import",), syntax.Path("../lib/x.nix"), a), sets(inner, 1)),
        st.builds(lambda a: syntax.Mark(a, "origin"), inner),
    )


MODULES = sets(st.recursive(LEAVES, extend, max_leaves=10), 1).map(
    lambda body: syntax.Function(("lib", "pkgs"), body, ellipsis=True)
)


def test_modules_have_the_form_of_nixfmt(holds, tmp_path):
    def law(modules):
        texts = [syntax.print_file(module).text for module in modules]
        formed = rfc166.formatted(texts, tmp_path / "formed")
        return [left == right for left, right in zip(texts, formed, strict=True)]

    holds(MODULES, law)
