"""Random types, described as lib/types.nix describes them, and random data: the answer is that of the
type itself.

Trees before 22.11 write descriptions with two readings. For these, no value that fits may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from nixgen.options.fitting import Verdict, answer
from nixgen.options.grammar import parse


@attrs.frozen(kw_only=True)
class Shape:
    """A type: how it is described since 22.11 and before, and what it accepts.

    :param phrase: descriptionClass of lib/types.nix.
    """

    new: str
    old: str
    phrase: str
    accepts: Callable[[Any], bool]

    def within(self, *phrases: str) -> str:
        return self.new if self.phrase in phrases else f"({self.new})"


def noun(words: str, accepts: Callable[[Any], bool], phrase: str = "noun") -> Shape:
    return Shape(new=words, old=words, phrase=phrase, accepts=accepts)


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def between(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: is_int(value) and low <= value <= high


def one_of(*choices: str | int) -> Shape:
    shown = ", ".join(
        f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices
    )
    return noun(
        f"one of {shown}",
        lambda value: not isinstance(value, (bool, float)) and value in choices,
        "conjunction",
    )


NOUNS = st.sampled_from(
    [
        noun("boolean", lambda value: isinstance(value, bool)),
        noun("signed integer", is_int),
        noun("floating point number", lambda value: isinstance(value, float)),
        noun("string", lambda value: isinstance(value, str)),
        noun('strings concatenated with "\\n"', lambda value: isinstance(value, str)),
        noun("path", lambda value: isinstance(value, str) and value.startswith("/")),
        noun("attribute set", lambda value: isinstance(value, dict), "none"),
        noun("positive integer, meaning >0", between(1, 2**62), "nonRestrictiveClause"),
        noun(
            "16 bit unsigned integer; between 0 and 65535 (both inclusive)",
            between(0, 65535),
        ),
        one_of("a", "b c", "s"),
        one_of(1, 2),
    ]
)


def list_of(element: Shape) -> Shape:
    return Shape(
        new=f"list of {element.within('noun', 'composite')}",
        old=f"list of {element.old}s",
        phrase="composite",
        accepts=lambda value: isinstance(value, list) and all(map(element.accepts, value)),
    )


def attrs_of(element: Shape) -> Shape:
    return Shape(
        new=f"attribute set of {element.within('noun', 'composite')}",
        old=f"attribute set of {element.old}s",
        phrase="composite",
        accepts=lambda value: isinstance(value, dict) and all(map(element.accepts, value.values())),
    )


def null_or(element: Shape) -> Shape:
    return Shape(
        new=f"null or {element.within('noun', 'conjunction')}",
        old=f"null or {element.old}",
        phrase="conjunction",
        accepts=lambda value: value is None or element.accepts(value),
    )


def either(left: Shape, right: Shape) -> Shape:
    new = (
        f"{left.new}, or {right.within('noun', 'conjunction')}"
        if left.phrase == "nonRestrictiveClause"
        else f"{left.within('noun', 'conjunction')} or {right.within('noun', 'conjunction', 'composite')}"
    )
    return Shape(
        new=new,
        old=f"{left.old} or {right.old}",
        phrase="conjunction",
        accepts=lambda value: left.accepts(value) or right.accepts(value),
    )


SHAPES = st.recursive(
    NOUNS,
    lambda inner: (
        inner.map(list_of)
        | inner.map(attrs_of)
        | inner.map(null_or)
        | st.builds(either, inner, inner)
    ),
    max_leaves=5,
)

DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 2, -1, 80, 65535, 65536, 0.0, 1.5])
    | st.sampled_from(["", "a", "b c", "s", "/a", "x\ny", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(max_examples=800)
@given(SHAPES, DATA)
def test_since_22_11_the_answer_is_exact(shape: Shape, value: Any) -> None:
    verdict = answer(value, parse(shape.new)).verdict
    if _may_be_a_path(value):
        assert verdict is not Verdict.DIFFERS or not shape.accepts(value)
    else:
        assert verdict is (Verdict.FITS if shape.accepts(value) else Verdict.DIFFERS)


@settings(max_examples=800)
@given(SHAPES, DATA)
def test_before_22_11_no_fitting_value_differs(shape: Shape, value: Any) -> None:
    if shape.accepts(value):
        assert answer(value, parse(shape.old)).verdict is not Verdict.DIFFERS


@settings(max_examples=300)
@given(SHAPES, DATA)
def test_exactly_the_values_that_differ_have_faults(shape: Shape, value: Any) -> None:
    found = answer(value, parse(shape.new))
    assert bool(found.misfits) == (found.verdict is Verdict.DIFFERS)
    for misfit in found.misfits:
        at = value
        for part in misfit.at:
            at = at[part]
        assert at == misfit.value


def _may_be_a_path(value: Any) -> bool:
    """Lists that begin with a path were one before 23.05, and the description does not tell the trees apart."""
    if isinstance(value, list):
        first = value[0] if value else None
        return (isinstance(first, str) and first.startswith("/")) or any(map(_may_be_a_path, value))
    return isinstance(value, dict) and any(map(_may_be_a_path, value.values()))
