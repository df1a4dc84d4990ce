"""`nixgen.options.posix` and Nix's ``builtins.match`` decide the same for random patterns."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from nixgen import syntax
from nixgen.options.posix import matches

pytestmark = pytest.mark.real

CHARACTERS = "ab1-_.é\n ^$\\/+"
ATOMS = st.sampled_from(
    [
        "a",
        "1",
        "-",
        "é",
        ".",
        r"\.",
        r"\$",
        r"\^",
        r"\\",
        "[ab]",
        "[^ab]",
        "[a-b1]",
        "[[:alpha:]]",
        "[^[:digit:]]",
        "[[:space:]-]",
        r"[\.]",
        "[]a]",
        "[^]a]",
        "[a^$]",
    ]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.builds("({})".format, inner)
        | st.builds("({}|{})".format, inner, inner)
        | st.builds(
            "({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}"])
        )
    ),
    max_leaves=6,
).flatmap(lambda body: st.sampled_from([body, f"^{body}$", f"^{body}|a$"]))
CASES = st.tuples(PATTERNS, st.text(CHARACTERS, max_size=5))


def test_nix_decides_the_same(holds, nix):
    def law(cases):
        pairs = [
            syntax.AttrSet({"pattern": syntax.Str(pattern), "text": syntax.Str(text)})
            for pattern, text in cases
        ]
        (nix.folder / "cases.nix").write_text(syntax.print_file(syntax.List(tuple(pairs))).text)
        found = nix.evaluate(
            "map (case: builtins.match case.pattern case.text != null) (import ./cases.nix)"
        )
        said = [matches(pattern, text) for pattern, text in cases]
        return [ours in (None, theirs) for ours, theirs in zip(said, found, strict=True)]

    holds(CASES, law)


def test_most_patterns_are_decided(holds):
    holds(
        CASES.filter(lambda case: "\n" not in case[1]),
        lambda cases: [matches(*case) is not None for case in cases],
    )
