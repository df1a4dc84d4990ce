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

from nixgen.errors import UnprintableError as UnprintableError
from nixgen.syntax.files import *
from nixgen.syntax.literal import *
from nixgen.syntax.nodes import *
from nixgen.syntax.page import Span as Span
from nixgen.syntax.printer import *
