"""The Nix language: expressions as values, and the printer that writes them. No other part of
nixgen writes Nix.

>>> from nixgen import syntax as nix
>>> print(nix.print_expr(nix.AttrSet({("services", "nginx"): nix.quote({"enable": True})})))
{
  services.nginx = {
    enable = true;
  };
}
"""

from nixgen.errors import UnprintableError
from nixgen.syntax.files import GeneratedFile, NixFile, PlainFile
from nixgen.syntax.literal import quote
from nixgen.syntax.nodes import (
    AttrSet,
    BinaryOp,
    Bool,
    Call,
    Commented,
    Constant,
    Expr,
    Float,
    Formal,
    Function,
    HasAttr,
    If,
    Inherit,
    Int,
    Interpolation,
    Lambda,
    Let,
    List,
    Mark,
    Not,
    Null,
    Path,
    Select,
    Str,
    Var,
)
from nixgen.syntax.page import Span
from nixgen.syntax.printer import Printed, print_expr, print_file

__all__ = [
    "AttrSet",
    "BinaryOp",
    "Bool",
    "Call",
    "Commented",
    "Constant",
    "Expr",
    "Float",
    "Formal",
    "Function",
    "GeneratedFile",
    "HasAttr",
    "If",
    "Inherit",
    "Int",
    "Interpolation",
    "Lambda",
    "Let",
    "List",
    "Mark",
    "NixFile",
    "Not",
    "Null",
    "Path",
    "PlainFile",
    "Printed",
    "Select",
    "Span",
    "Str",
    "UnprintableError",
    "Var",
    "print_expr",
    "print_file",
    "quote",
]
