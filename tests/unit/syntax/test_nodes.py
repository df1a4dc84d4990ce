"""Nodes and values that Nix cannot express are refused when they are made, with their place."""

from __future__ import annotations

import enum
import types

import pytest

from nixgen import syntax as nix
from nixgen.errors import InputError
from nixgen.syntax import files, literal, nodes, printer


class Level(enum.StrEnum):
    HIGH = "high"


class Count(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "node"),
    [
        (None, nix.Null()),
        (True, nix.Bool(True)),
        (1, nix.Int(1)),
        (1.5, nix.Float(1.5)),
        ("a", nix.Str("a")),
        (Level.HIGH, nix.Str("high")),
        (Count.ONE, nix.Int(1)),
        ((1,), nix.List((nix.Int(1),))),
        (types.MappingProxyType({"a": 1}), nix.AttrSet({"a": nix.Int(1)})),
        ({"a": nix.Var("b")}, nix.AttrSet({"a": nix.Var("b")})),
    ],
)
def test_quote(value, node):
    assert nix.quote(value) == node
    assert nix.print_expr(nix.quote(value)) == nix.print_expr(node)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a\0b", r"NUL character, found at index 1"),
        (
            {"a": ["x", {"b c": "\ud800"}]},
            r"^value\.a\[1\]\['b c'\]: .*lone surrogate \('\\ud800'\)",
        ),
        ({"a\0": 1}, r"^value\['a\\x00'\]: .*NUL"),
        ([float("nan")], r"^value\[0\]: nan"),
        ([1, float("-inf")], r"^value\[1\]: -inf"),
        (5e-324, r"5e-324"),
        ({"n": 2**63}, r"^value\.n: 9223372036854775808 is outside"),
        (-(2**63) - 1, r"outside"),
        ({1: 2}, r"the key 1 is a int"),
        ({"a": {b"x"}}, r"^value\.a: set has no Nix literal"),
        ({"a": b"bytes"}, r"^value\.a: bytes has no Nix literal"),
    ],
)
def test_a_refused_value_is_named_with_its_place(value, message):
    with pytest.raises(nix.UnprintableError, match=message) as caught:
        nix.quote(value)
    assert isinstance(caught.value, InputError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.hint


def test_a_value_that_contains_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(nix.UnprintableError, match="contains itself"):
        nix.quote(value)


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        ([("a", nix.Null()), ("a", nix.Null())], "attribute a is defined twice"),
        ([("a", nix.Null()), (("a",), nix.Null())], "attribute a is defined twice"),
        ([(("a", "b"), nix.Null()), ("a", nix.Null())], r"a and a\.b are both defined"),
        ([nix.Inherit(("a",)), ("a", nix.Null())], "attribute a is defined twice"),
        ([nix.Inherit(("a",)), nix.Inherit(("a",), nix.Var("b"))], "attribute a is defined twice"),
        ([nix.Inherit(("a",)), (("a", "b"), nix.Null())], r"a and a\.b are both defined"),
        ([((), nix.Null())], "at least one name"),
    ],
)
def test_attributes_are_defined_once(bindings, message):
    for node in (nix.AttrSet, lambda given: nix.Let(given, nix.Null())):
        with pytest.raises(nix.UnprintableError, match=message):
            node(bindings)


def test_a_dot_in_a_name_is_no_path():
    node = nix.AttrSet({"a.b": nix.Int(1), ("a", "b"): nix.Int(2)})
    assert nix.print_expr(node) == '{\n  "a.b" = 1;\n  a.b = 2;\n}'


@pytest.mark.parametrize("name", ["", "if", "a b", "1a", "a.b", "é", "-", "or"])
def test_variables_are_identifiers(name):
    with pytest.raises(nix.UnprintableError, match="not a Nix identifier"):
        nix.Var(name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nix.Path("/etc/passwd"),
        lambda: nix.Path("a\0"),
        lambda: nix.Str("\0"),
        lambda: nix.Interpolation(("a", nix.Var("b"), "\ud800")),
        lambda: nix.Select(nix.Var("a"), ()),
        lambda: nix.Select(nix.Var("a"), ("\0",)),
        lambda: nix.Call(nix.Var("f"), ()),
        lambda: nix.BinaryOp("%", nix.Var("a"), nix.Var("b")),
        lambda: nix.Function(("a", "a"), nix.Null()),
        lambda: nix.Inherit(("a b",)),
    ],
)
def test_nodes_that_cannot_be_printed_are_refused(make):
    with pytest.raises(nix.UnprintableError) as caught:
        make()
    assert caught.value.hint


def test_nodes_are_values():
    assert nix.AttrSet({"b": nix.Int(1), "a": nix.Int(2)}) == nix.AttrSet(
        {"a": nix.Int(2), "b": nix.Int(1)}
    )
    assert len({nix.quote([1, "a"]), nix.quote((1, "a"))}) == 1
    assert nix.Interpolation(("a", "", nix.Str("b"))) == nix.Interpolation(("ab",))


@pytest.mark.parametrize("module", [files, literal, nodes, printer])
def test_the_package_has_the_public_names_of_its_modules(module):
    assert {name: getattr(nix, name, None) for name in module.__all__} == {
        name: getattr(module, name) for name in module.__all__
    }


@pytest.mark.parametrize(
    "number", [2**63, -(2**63) - 1, 10**5000], ids=["above", "below", "too long to write"]
)
def test_an_integer_that_nix_cannot_hold_is_refused(number: int) -> None:
    with pytest.raises(nix.UnprintableError, match="outside of Nix's integers"):
        nix.quote(number)
