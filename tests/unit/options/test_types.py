"""Descriptions of option types, as nixpkgs from 20.09 to 26.11 writes them, and values that fit them.

tests/nixpkgs/test_options.py compares the answers with the real types, for each option of a tree.
"""

from __future__ import annotations

from typing import Any

import pytest

from nixgen.models import ConfigFile, Package, Source, mk_force, text
from nixgen.options.fitting import Verdict, answer
from nixgen.options.grammar import parse

HELLO = Package("hello")
PROGRAM = HELLO / "bin/hello"
ITSELF = text("${hello}", hello=HELLO)
SITE = Source("site")
CONF = ConfigFile("a.conf", "x")

SETS: list[Any] = [{}, {"a": 1}, {"a": {"b": [None]}}]
LISTS: list[Any] = [[], ["a"], [1, [True]]]
NUMBERS: list[Any] = [0, 1, -3, 0.5]
BOOLEANS: list[Any] = [True, False]
STRINGS: list[Any] = ["", "a", "a b", "x\ny", "é", PROGRAM]
NOTHING: list[Any] = [None]
EVERYTHING = [*SETS, *LISTS, *NUMBERS, *BOOLEANS, *STRINGS, *NOTHING]


def without(*kinds: list[Any]) -> list[Any]:
    """Everything but these kinds. By identity: True is 1, and 1.0, in Python."""
    left_out = {id(value) for kind in kinds for value in kind}
    return [value for value in EVERYTHING if id(value) not in left_out]


INTEGERS = NUMBERS[:3]

#: description → what fits, what does not
TABLE: dict[str, tuple[list[Any], list[Any]]] = {
    "anything": (EVERYTHING, []),
    "raw value": (EVERYTHING, []),
    "unspecified": (EVERYTHING, []),
    "unspecified value": (EVERYTHING, []),
    "JSON value": (EVERYTHING, []),
    "YAML 1.1 value": (EVERYTHING, []),
    "TOML value": (without(NOTHING, [SETS[2]]), [None, [None], {"a": {"b": None}}]),
    "boolean": (BOOLEANS, without(BOOLEANS)),
    "boolean (merged using or)": (BOOLEANS, without(BOOLEANS)),
    "signed integer": (INTEGERS, without(INTEGERS)),
    "floating point number": ([0.5, 1.0], [1, "0.5", None]),
    "signed integer or floating point number": (NUMBERS, without(NUMBERS)),
    "positive integer, meaning >0": ([1, 80], [0, -1, 1.0, True, "1"]),
    "unsigned integer, meaning >=0": ([0, 80], [-1, 1.0, False]),
    "nonzero signed integer, meaning !=0": ([1, -1], [0, 1.5]),
    "positive integer or floating point number, meaning >0": ([1, 0.1], [0, 0.0, -1]),
    "nonnegative integer or floating point number, meaning >=0": ([0, 0.0], [-1, -0.1, "0"]),
    "nonnegative floating point number, meaning >=0": ([0.0], [0, -0.1]),
    "integer between -20 and 19 (both inclusive)": ([-20, 19], [-21, 20, 1.0, True]),
    "8 bit signed integer; between -128 and 127 (both inclusive)": ([-128, 127], [-129, 128]),
    "16 bit unsigned integer; between 0 and 65535 (both inclusive)": (
        [0, 65535],
        [-1, 65536, "80", True, [80]],
    ),
    "integer or floating point number between 0 and 1.5 (both inclusive)": (
        [0, 1, 1.5],
        [1.6, -1, "1"],
    ),
    "a floating point number in range [0.01, 1]": ([0.01, 1.0], [1, 0.0, 2.0]),
    "float between 0.0 and 1.0 (inclusive)": ([0.5], [1.5, 1]),
    "string": (STRINGS, without(STRINGS)),
    "Concatenated string": (STRINGS, without(STRINGS)),
    'strings concatenated with "\\n"': (["", "a\nb", PROGRAM], [["a"], None, HELLO]),
    'strings concatenated with " "': (["a"], [1]),
    'null or strings concatenated with " ;; "': (["a", None], [1]),
    "non-empty string": (["a", " a\n"], ["", " \t\n", 1, None]),
    "string (with check: non-empty)": (["a", " "], ["", None]),
    "single-line string": (["", "a b"], ["a\n", "a\rb", 1]),
    "(optionally newline-terminated) single-line string": (["a", "a\n"], ["a\nb", "a\n\n", None]),
    "string, not containing newlines or colons": (["a b"], ["a:b", "a\nb", 1]),
    "null or (string, not containing newlines or colons)": (["a", None], ["a:b", {}]),
    "string matching the pattern [0-9a-f]+\\$[0-9a-f]{64}": (["1$" + "a" * 64], ["1$a", 1, None]),
    "string matching the pattern compat|md5": (["compat", "md5"], ["md", "compat "]),
    "signed integer or string matching the pattern [[:digit:]]+:[[:digit:]]+": (
        [1, "1:2"],
        ["1", "a:b", None],
    ),
    "list of string matching the pattern [a-zA-Z0-9@%:_.\\-]+[.](service|timer)": (
        [["a-b.service"], []],
        [["a"], "a.service", [1]],
    ),
    "non-empty list of string matching the pattern [A-Za-z0-9_]+s": (
        [["ab"], ["abs"]],
        [[], ["-"]],
    ),
    "path": (["/a", PROGRAM, SITE, CONF, HELLO], ["a", "~/a", "", 1, None, True, {}, ["a"], []]),
    "absolute path": (["/a", PROGRAM, SITE, CONF, HELLO], ["a", 1, None]),
    "relative path": (["a", "./a"], ["/a", 1]),
    "null or path": (["/a", None], ["a", 1]),
    "absolute path, not containing newlines or colons": ([], ["a", 1]),
    "package": ([HELLO, CONF, SITE, ITSELF], ["hello", 1, None, PROGRAM, {}, True]),
    "null or package": ([HELLO, None], ["hello"]),
    "list of package": ([[HELLO], []], [["hello"], HELLO, None]),
    "attribute set": (SETS, without(SETS)),
    'one of "debug", "info", "no", "a b"': (["debug", "a b"], ["debu", "", 1, None, ["info"]]),
    "one of 0, 1, -2": ([0, 1, -2], [2, "1", True, False]),
    'one of "x", 1, true': (["x", 1, True], [False, 0, "1"]),
    'one of <bool>, <null>, "lock"': (["lock"], ["lok", 1]),
    'one of "", "ssl", "tls"': (["", "ssl"], ["SSL"]),
    'value "x" (singular enum)': (["x"], ["y", None]),
    'boolean or value "auto" (singular enum)': (["auto", True], ["aut", 1]),
    "impossible (empty enum)": ([], EVERYTHING),
    'null or one of "none", "fcsfail"': (["none", None], ["x", True]),
    'list of (one of "server", "view")': ([["view"]], ["view", ["x"]]),
    'list of one of "server", "view"s': ([["view"]], ["view", ["x"]]),
    'string or one of "permanent", "random"': (["x"], [1]),
    # trees before 22.11: plurals, and no parentheses
    "list of strings": ([[], ["a"]], ["a", [1], None, {}]),
    "attribute set of strings": ([{}, {"a": "b"}], [{"a": 1}, [], "a"]),
    "attribute set of list of stringss": ([{"a": ["b"]}], [{"a": "b"}, {"a": [1]}]),
    "attribute set of attribute set of stringss": ([{"a": {"b": "c"}}], [{"a": "b"}]),
    "list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)s": ([[80]], [[-1], 80]),
    "attribute set of null or strings": ([{"a": None}, {"a": "b"}], [{"a": 1}, None]),
    "attribute set of string or signed integer or booleans": (
        [{"a": "b"}, {"a": 1}, {"a": True}, {}],
        [{"a": None}, {"a": []}],
    ),
    "list of string or signed integers": ([["a", 1], []], [["a", None], None]),
    "null or list of strings": ([None, ["a"]], ["a", [1]]),
    "list or attribute set of strings": ([["a"], {"a": "b"}], ["a", [1], {"a": 1}]),
    "list of strings or string convertible to it": ([["a"]], [1, [1], None]),
    "string or list of strings": (["a", ["a"]], [1, [1], {}]),
    "attribute set of list of string or signed integer convertible to it or boolean convertible to its": (
        [{"a": ["b"]}],
        [None, 1, {"a": {}}],
    ),
    "list of attribute sets": ([[{}], []], [{}, ["a"]]),
    "attribute set of attribute set or list of attribute setss": (
        [{"a": {}}, {"a": [{}]}],
        [{"a": "b"}, []],
    ),
    "list of list of signed integerss": ([[[1]], []], [[1], [["a"]]]),
    'attribute set of strings concatenated with "\\n"s': ([{"a": "b"}], [{"a": 1}]),
    "lazy attribute set of unspecifieds": (SETS, without(SETS)),
    "pair of signed integer": ([[1, 2]], [[1], [1, 2, 3], ["a", "b"], 1]),
    'one of "lzo", "lz4", "zstd" or string': (["lzo", "x"], [1]),
    # since 22.11
    "list of string": ([[], ["a"]], ["a", [1], None]),
    "list of (string or signed integer)": ([["a", 1]], [["a", None], "a"]),
    "(list of string) or string": ([["a"], "a"], [1, [1]]),
    "string or list of string": ([["a"], "a"], [1, [1]]),
    "(list of string) or string convertible to it": ([["a"]], [1, [1], {}]),
    "(attribute set of boolean) or (list of string) convertible to it": (
        [{"a": True}],
        [{"a": 1}, "a", [1]],
    ),
    "non-empty (list of string)": ([["a"]], [[], [1], None]),
    "null or (list of string)": ([["a"], None], ["a"]),
    "attribute set of (attribute set)": ([{"a": {}}, {}], [{"a": 1}, []]),
    "attribute set of attribute set of (string or signed integer)": (
        [{"a": {"b": 1}}],
        [{"a": {"b": None}}, {"a": 1}],
    ),
    "null or (attribute set of (null or path))": ([None, {"a": None}, {"a": "/"}], [{"a": "b"}]),
    "attribute set of ((list of (signed integer or string)) or signed integer or string)": (
        [{"a": [1]}, {"a": 1}],
        [{"a": None}, {"a": [None]}],
    ),
    "unsigned integer, meaning >=0, or string": ([0, "a"], [-1, None]),
    "positive integer, meaning >0, or string or list of string": ([1, "a", ["a"]], [0, [1]]),
    "16 bit unsigned integer; between 0 and 65535 (both inclusive) or value “auto” (singular enum)": (
        [],
        [],
    ),
    "attribute list of signed integer": ([{"a": 1}, [{"a": 1}]], ["a", [1], {"a": "b"}]),
    "function that evaluates to a(n) list of package": ([], EVERYTHING),
    "string or function that evaluates to a(n) string": (["a"], [1]),
    'attribute-tagged union with choices: a, "b c"': ([], [{}, {"a": 1, "b c": 2}, {"d": 1}, 1]),
    "attribute-tagged union": ([], [{}, {"a": 1, "b": 2}, "a"]),
    # pkgs-lib/formats.nix
    "atom (null, bool, int, float or string)": ([None, True, 1, 0.5, "a"], [[], {}]),
    "attribute set of (INI atom (null, bool, int, float or string) or a list of them for duplicate keys)": (
        [{"a": 1}, {"a": [1, "b"]}, {"a": None}],
        [{"a": {}}, 1],
    ),
    "attribute set of section of an INI file (attrs of INI atom (null, bool, int, float or string))": (
        [{"a": {"b": 1}}],
        [{"a": 1}, {"a": {"b": []}}],
    ),
    "section of an INI file (attrs of INI atom (null, bool, int, float or string) or a non-empty list of them)": (
        [{"a": ["b"]}],
        [{"a": []}, {"a": [[]]}],
    ),
    # submodules, without their options
    "submodule": ([], ["a", 1, None, []]),
    "attribute set of submodules": ([{}], [[], {"a": 1}, None]),
    "list of (submodule)": ([[]], [{}, [1]]),
    "null or (submodule)": ([None], ["a"]),
    "open submodule of attribute set of (signed integer or string)": ([], ["a", 1]),
    "list of (string or (submodule))": ([["a"], []], [[1], "a"]),
    "attribute set of submodule or signed integer convertible to its": ([{}], [{"a": "b"}, 1]),
}


@pytest.mark.parametrize("words", TABLE)
def test_values_that_fit_and_values_that_differ(words: str) -> None:
    fitting, others = TABLE[words]
    wanted = parse(words)
    for value in fitting:
        assert answer(value, wanted).verdict is Verdict.FITS, value
    for value in others:
        assert answer(value, wanted).verdict is Verdict.DIFFERS, value


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("systemd option", 1),
        ("Minecraft UUID", "x"),
        ("list of template names", ["x"]),  # said by hand, so it may be no list
        ("path or PKCS#11 URI", 1),
        ("attribute set of (sysctl option value)", {"a": []}),
        ("list of (nixpkgs overlay)", [1]),
        ("string without spaces", "a b"),
        ("path in the Nix store", "/nix/store/x"),
        ("absolute path not in the Nix store", "/x"),
        ("path", ["/x"]),  # before 23.05, a list that begins so is one
        ("path", {"outPath": "/x"}),
        ("package", "/nix/store/x"),
        ("package", [HELLO]),
        ("submodule", {"a": 1}),  # its options are not known
        ("submodule", "/module.nix"),
        ("list of strings or string convertible to it", "a"),
        ('one of <bool>, "lock"', True),
        ('one of "a"', PROGRAM),
        ("string", SITE),
        ("string matching the pattern (?i)a", "a"),
        ("attribute set", HELLO),
        ("boolean", {"_type": "if", "condition": True, "content": True}),
        ("boolean", object()),
    ],
)
def test_values_that_are_not_certain(words: str, value: Any) -> None:
    assert answer(value, parse(words)).verdict is not Verdict.DIFFERS
    if not isinstance(value, dict) or "_type" not in value:
        assert answer(value, parse(words)).verdict is Verdict.UNSURE


@pytest.mark.parametrize("words", ["systemd option", "list of (nixpkgs overlay)"])
def test_a_list_in_parentheses_is_read_as_a_list(words: str) -> None:
    verdict = answer(1, parse(words)).verdict
    assert verdict is (Verdict.DIFFERS if words.startswith("list") else Verdict.UNSURE)


def test_properties_are_taken_off_before_a_check() -> None:
    assert answer(mk_force(["a"]), parse("list of string")).verdict is Verdict.FITS
    assert answer({"a": mk_force(1)}, parse("attribute set of string")).verdict is Verdict.DIFFERS
    assert answer(mk_force(None), parse("TOML value")).verdict is Verdict.DIFFERS


def test_a_fault_inside_a_value_has_its_place() -> None:
    found = answer({"a": ["x", 1], "b": None}, parse("attribute set of list of string"))
    assert [(misfit.at, misfit.type and misfit.type.words) for misfit in found.misfits] == [
        (("a", 1), "string"),
        (("b",), "list of string"),
    ]


def test_the_alternative_of_the_same_shape_gives_the_fault() -> None:
    [misfit] = answer(["x", 1], parse("null or string or list of string")).misfits
    assert misfit.at == (1,)
    [misfit] = answer(5, parse("null or string or list of string")).misfits
    assert misfit.at == ()
    assert misfit.type == parse("null or string or list of string")


def test_long_descriptions_are_read() -> None:
    many = "attribute set of " * 30 + "string" + "s" * 30
    assert answer({}, parse(many)).verdict is Verdict.FITS
    either = " or ".join(["list of string or signed integers"] * 12)
    assert answer(["a"], parse(either)).verdict is Verdict.FITS
