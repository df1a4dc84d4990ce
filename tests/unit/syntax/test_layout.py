"""The form of Nix text: one case for each decision of the layout."""

from __future__ import annotations

import textwrap

import pytest

from nixgen import syntax as nix

A, B, F, LIB, PKGS = (nix.Var(name) for name in ("a", "b", "f", "lib", "pkgs"))
LONG = nix.Str("x" * 90)
WIDE = nix.Var("w" * 60)
NARROW_KEY, WIDE_KEY = ("k" * 40, "k" * 40), ("k" * 48, "k" * 48)
LONG_KEY = (*WIDE_KEY, "a b")
TWO = nix.quote([1, 2])

CASES = {
    "empty collections": (
        nix.AttrSet({"a": nix.AttrSet(), "b": nix.List()}),
        """
        {
          a = { };
          b = [ ];
        }
        """,
    ),
    "keys in printed order": (
        nix.AttrSet({("b", "c"): A, "b-a": A, ("b", "a b"): A, "if": A}),
        """
        {
          "if" = a;
          b-a = a;
          b."a b" = a;
          b.c = a;
        }
        """,
    ),
    "a single item stays on the line": (nix.quote([["x"]]), '[ [ "x" ] ]'),
    "sets in sets are expanded": (
        nix.AttrSet({"a": nix.quote({"b": 1})}),
        """
        {
          a = {
            b = 1;
          };
        }
        """,
    ),
    "short sets in lists are not": (nix.quote([{"a": 1}]), "[ { a = 1; } ]"),
    "negative numbers in lists": (
        nix.quote([-1, -1.5, 2]),
        """
        [
          (-1)
          (-1.5)
          2
        ]
        """,
    ),
    "a module": (
        nix.Function(("lib", nix.Formal("port", nix.Int(80))), nix.quote({"a": 1, "b": 2}), True),
        """
        {
          lib,
          port ? 80,
          ...
        }:
        {
          a = 1;
          b = 2;
        }
        """,
    ),
    "many formals": (
        nix.Function([f"argument{n}" for n in range(11)], A),
        "{\n" + "".join(f"  argument{n},\n" for n in range(11)) + "}:\na",
    ),
    "let": (
        nix.Let([nix.Inherit(("z", "y"), LIB), ("a", nix.Int(1))], A),
        """
        let
          inherit (lib) y z;
          a = 1;
        in
        a
        """,
    ),
    "the last argument opens on the line": (
        nix.AttrSet({"x": nix.Call(F, (A, nix.Lambda("y", nix.quote({"c": 1, "d": 2}))))}),
        """
        {
          x = f a (y: {
            c = 1;
            d = 2;
          });
        }
        """,
    ),
    "a call in a function below a key": (
        nix.AttrSet(
            {"x": nix.Lambda("y", nix.Lambda("z", nix.Call(F, (nix.quote({"c": 1, "d": 2}),))))}
        ),
        """
        {
          x =
            y: z:
            f {
              c = 1;
              d = 2;
            };
        }
        """,
    ),
    "a set in a function below a key": (
        nix.AttrSet({"x": nix.Lambda("y", nix.Lambda("z", nix.quote({"c": 1, "d": 2})))}),
        """
        {
          x = y: z: {
            c = 1;
            d = 2;
          };
        }
        """,
    ),
    "arguments one per line": (
        nix.Call(F, (TWO, LONG)),
        f"""
        f
          [
            1
            2
          ]
          "{"x" * 90}"
        """,
    ),
    "a long string stays beside its key": (
        nix.AttrSet({"key": nix.Str("y" * 95), "z": A}),
        f"""
        {{
          key = "{"y" * 95}";
          z = a;
        }}
        """,
    ),
    "a long selection goes below its key": (
        nix.AttrSet({"key": nix.Select(PKGS, ("s" * 50, "t" * 50))}),
        f"""
        {{
          key =
            pkgs.{"s" * 50}.{"t" * 50};
        }}
        """,
    ),
    "other operators start below the key": (
        nix.AttrSet({"p": nix.BinaryOp("+", nix.BinaryOp("+", A, nix.Call(F, (TWO,))), B)}),
        """
        {
          p =
            a
            + f [
              1
              2
            ]
            + b;
        }
        """,
    ),
    "text of several lines": (
        nix.AttrSet({"script": nix.Str("set -e\n  echo ${A} ''\n\ndone\n")}),
        """
        {
          script = ''
            set -e
              echo ''${A} '''

            done
          '';
        }
        """,
    ),
    "text without a last newline": (nix.Str("a\nb'"), "''\n  a\n  b''\\'''"),
    "text that '' would change": (nix.quote([" a\n b\n", "a \nb", "a\n"]), '[\n  " a\\n b\\n"\n  "a \\nb"\n  "a\\n"\n]'),
    "antiquotations": (
        nix.Interpolation(("a$", nix.Select(PKGS, ("nginx",)), "/${x}")),
        r'"a\$${pkgs.nginx}/\${x}"',
    ),
    "antiquotations over lines": (
        nix.Interpolation(("exec ", A, "\ncost: $", B, "\n")),
        """
        ''
          exec ${a}
          cost: ''$${b}
        ''
        """,
    ),
    "operators, first on their lines": (
        nix.AttrSet({"p": nix.BinaryOp("++", TWO, nix.BinaryOp("++", A, B))}),
        """
        {
          p = [
            1
            2
          ]
          ++ a
          ++ b;
        }
        """,
    ),
    "parentheses only where they matter": (
        nix.BinaryOp("-", nix.BinaryOp("-", A, B), nix.BinaryOp("-", A, nix.BinaryOp("*", A, B))),
        "a - b - (a - a * b)",
    ),
    "selections with a default are not joined": (
        nix.quote([nix.Select(nix.Select(A, "b"), "c"), nix.Select(nix.Select(A, "b"), "c", B)]),
        """
        [
          a.b.c
          ((a.b).c or b)
        ]
        """,
    ),
    "selections": (
        nix.Select(nix.Call(F, (nix.Select(A, "b c"), nix.Select(A, ("d",), nix.Int(-1)))), "x"),
        '(f a."b c" (a.d or (-1))).x',
    ),
    "conditions": (
        nix.If(nix.Not(nix.HasAttr(A, "b")), A, nix.If(B, TWO, nix.Null())),
        """
        if !a ? b then
          a
        else if b then
          [
            1
            2
          ]
        else
          null
        """,
    ),
    "paths": (
        nix.quote([nix.Path("app"), nix.Path("../app"), nix.Path(".."), nix.Path("."), nix.Path("../a b")]),
        """
        [
          ./app
          ../app
          ../.
          ./.
          (../. + "/a b")
        ]
        """,
    ),
    "comments": (
        nix.AttrSet({"a": nix.Commented("why\n*/ not\x00", nix.Int(1)), "b": A}),
        """
        {
          # why
          # */ not?
          a = 1;
          b = a;
        }
        """,
    ),
    "parentheses of the first operand below a key": (
        nix.AttrSet({"a": nix.BinaryOp("//", nix.BinaryOp("->", WIDE, WIDE), WIDE)}),
        """
        {
          a =
            (
              wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww
              -> wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww
            )
            // wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww;
        }
        """,
    ),
    "calls beside a key, and below a wide one": (
        nix.AttrSet({key: nix.Call(F, (A, nix.quote({"a b": 1, "c": LONG}))) for key in (NARROW_KEY, WIDE_KEY)}),
        f"""
        {{
          {".".join(NARROW_KEY)} = f a {{
            "a b" = 1;
            c = "{LONG.value}";
          }};
          {".".join(WIDE_KEY)} =
            f a
              {{
                "a b" = 1;
                c = "{LONG.value}";
              }};
        }}
        """,
    ),
    "a simple call stays beside a wide key": (
        nix.AttrSet({WIDE_KEY: nix.Call(F, (A, nix.Int(1)))}),
        f"""
        {{
          {".".join(WIDE_KEY)} = f a 1;
        }}
        """,
    ),
    "a call with a quoted name does not": (
        nix.AttrSet({WIDE_KEY: nix.Call(F, (nix.Select(A, ("a b",)),))}),
        f"""
        {{
          {".".join(WIDE_KEY)} =
            f
              a."a b";
        }}
        """,
    ),
    "sets and texts below a long key": (
        nix.AttrSet({LONG_KEY: nix.quote({"a": 1}), (*WIDE_KEY, "b c"): nix.Str("a\nb\n")}),
        f"""
        {{
          {".".join(WIDE_KEY)}."a b" =
            {{
              a = 1;
            }};
          {".".join(WIDE_KEY)}."b c" =
            ''
              a
              b
            '';
        }}
        """,
    ),
    "a call with three arguments does not": (
        nix.AttrSet({WIDE_KEY: nix.Call(F, (A, B, LIB))}),
        f"""
        {{
          {".".join(WIDE_KEY)} =
            f a b
              lib;
        }}
        """,
    ),
    "operations below a long key": (
        nix.AttrSet({
            LONG_KEY: nix.BinaryOp("//", A, B),
            (*WIDE_KEY, "b c"): nix.BinaryOp("+", nix.BinaryOp("+", WIDE, A), WIDE),
        }),
        f"""
        {{
          {".".join(WIDE_KEY)}."a b" =
            a // b;
          {".".join(WIDE_KEY)}."b c" =
            {WIDE.name}
            + a
            + {WIDE.name};
        }}
        """,
    ),
    "a set is put behind an operand that leaves room for it, and below a wider one": (
        nix.AttrSet({
            name: nix.BinaryOp("//", nix.Var("v" * 91), nix.quote({"a": 1})) for name in ("j", "kk")
        }),
        f"""
        {{
          j = {"v" * 91} // {{
            a = 1;
          }};
          kk =
            {"v" * 91}
            // {{
              a = 1;
            }};
        }}
        """,
    ),
    "a set stands below its key when the operand behind it is too wide": (
        nix.AttrSet({
            (name, "a b"): nix.BinaryOp("//", nix.quote({"a": 1}), operand)
            for name, operand in {
                "i": nix.Select(A, ("x" * 94,)),
                "j": nix.Select(A, ("x" * 95,)),
                "k": nix.Str("x" * 95),
                "l": nix.Var("x" * 97),
            }.items()
        }),
        f"""
        {{
          i."a b" = {{
            a = 1;
          }}
          // a.{"x" * 94};
          j."a b" =
          {{
            a = 1;
          }}
          // a.{"x" * 95};
          k."a b" =
          {{
            a = 1;
          }}
          // "{"x" * 95}";
          l."a b" =
          {{
            a = 1;
          }}
          // {"x" * 97};
        }}
        """,
    ),
    "sets that are put together below a long key": (
        nix.AttrSet({LONG_KEY: nix.BinaryOp("//", nix.quote({"a": 1}), A)}),
        f"""
        {{
          {".".join(WIDE_KEY)}."a b" =
          {{
            a = 1;
          }}
          // a;
        }}
        """,
    ),
    "paths beside a short key": (
        nix.AttrSet({"a": nix.Path("../" + "p" * 90)}),
        f"""
        {{
          a = ../{"p" * 90};
        }}
        """,
    ),
    "the smallest integer": (nix.quote([-(2**63)]), "[ (-9223372036854775807 - 1) ]"),
    "floats": (nix.quote([1e-06]), "[ 1.0e-06 ]"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layout(name):
    expression, expected = CASES[name]
    assert nix.print_expr(expression) == textwrap.dedent(expected).strip("\n")


def test_lines_below_a_long_key_belong_to_the_value():
    printed = nix.print_file(nix.AttrSet({LONG_KEY: nix.Mark(nix.quote({"a": 1}), "here")}))
    assert printed.spans == ((2, 5, "here"),)


def test_indent_applies_to_every_line():
    assert nix.print_expr(TWO, indent=4) == "    [\n      1\n      2\n    ]"


def test_a_file_has_paragraphs_and_a_comment():
    body = nix.AttrSet(
        {"a": nix.Int(1), "b": nix.Int(2), "c": nix.quote({"x": 1}), "d": nix.Int(3)}
    )
    printed = nix.print_file(nix.Function(("pkgs",), body), comment="Made by a test.")
    assert printed.text == textwrap.dedent(
        """\
        # Made by a test.
        { pkgs }:
        {
          a = 1;
          b = 2;

          c = {
            x = 1;
          };

          d = 3;
        }
        """
    )


class TestSpans:
    def test_lines_of_a_binding_include_its_key_and_comment_not(self):
        marked = nix.Mark(nix.quote({"x": 1, "y": nix.Mark(nix.Int(2), "inner")}), "outer")
        printed = nix.print_file(nix.AttrSet({"a": nix.Int(0), "b": marked}))
        lines = printed.text.splitlines()
        assert lines[3:7] == ["  b = {", "    x = 1;", "    y = 2;", "  };"]
        assert printed.spans == ((4, 7, "outer"), (6, 6, "inner"))
        assert [printed.origin(line) for line in range(1, 9)] == [
            None, None, None, "outer", "outer", "inner", "outer", None,
        ]  # fmt: skip

    def test_the_inner_of_two_marks_on_the_same_lines_wins(self):
        printed = nix.print_file(nix.Mark(nix.Mark(A, "inner"), "outer"))
        assert printed.spans == ((1, 1, "outer"), (1, 1, "inner"))
        assert printed.origin(1) == "inner"

    def test_marks_within_a_line(self):
        call = nix.Call(F, (nix.Mark(A, "argument"), nix.Lambda("x", nix.quote({"a": 1, "b": 2}))))
        printed = nix.print_file(nix.AttrSet({"k": call, "l": nix.Int(1)}))
        assert "f a (x: {" in printed.text.splitlines()[1]
        assert printed.spans == ((2, 2, "argument"),)


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_a_line_has_a_hundred_columns_behind_its_indentation(depth):
    for length, lines in ((100, 1), (101, 2)):
        node = nix.AttrSet({"k" * 40: nix.Var("x" * (length - 40 - len(" = ;")))})
        for _ in range(depth):
            node = nix.AttrSet({"s": node, "t": A})
        texts = [
            line
            for line in nix.print_file(node).text.splitlines()
            if line.strip()[:1] in ("k", "x")
        ]
        assert len(texts) == lines
        assert len(texts[0].strip()) == (100 if lines == 1 else 42)


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_an_expression_nested_too_deeply_is_refused(depth):
    node = nix.Int(1)
    for _ in range(depth):
        node = nix.List((node, A))
    with pytest.raises(nix.UnprintableError, match="too deeply") as caught:
        nix.print_file(node)
    assert "fromJSON" in caught.value.hint


def test_a_long_chain_of_operators_is_not_deep():
    """The common way to get deep by accident: a sum over a list."""
    for operator in ("++", "+"):
        node = A
        for _ in range(300):
            left, right = (B, node) if operator == "++" else (node, B)
            node = nix.BinaryOp(operator, left, right)
        assert nix.print_expr(node).count("\n") == 300


# From the manual of Nix, "Operators": how tightly each one binds, and the side on which it may
# stand beside itself without parentheses.
PRECEDENCE = {
    "->": (1, "right"),
    "||": (2, "left"),
    "&&": (3, "left"),
    **dict.fromkeys(("==", "!="), (4, None)),
    **dict.fromkeys(("<", "<=", ">", ">="), (5, None)),
    "//": (6, "right"),
    **dict.fromkeys(("+", "-"), (8, "left")),
    **dict.fromkeys(("*", "/"), (9, "left")),
    "++": (10, "right"),
}


@pytest.mark.parametrize("outer", PRECEDENCE)
def test_parentheses_follow_the_precedence_of_nix(outer):
    rank, side = PRECEDENCE[outer]
    for inner, (tightness, _) in PRECEDENCE.items():
        operand = nix.BinaryOp(inner, A, B)
        left, right = (
            f"a {inner} b"
            if tightness > rank or (tightness == rank and side == here)
            else f"(a {inner} b)"
            for here in ("left", "right")
        )
        assert nix.print_expr(nix.BinaryOp(outer, operand, F)) == f"{left} {outer} f"
        assert nix.print_expr(nix.BinaryOp(outer, F, operand)) == f"f {outer} {right}"


def test_a_question_about_a_question_is_in_parentheses():
    assert nix.print_expr(nix.HasAttr(nix.HasAttr(A, ("b",)), ("c",))) == "(a ? b) ? c"
