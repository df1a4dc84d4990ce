"""Turn a project into Nix expressions, one for each file of the generated tree.

The functions are pure: they read no file and no clock, and no path of this computer is in what
they return.
"""

from nixgen.lowering.builders import machine_lines
from nixgen.lowering.kubenix import needs_packages
from nixgen.lowering.tests import implied_packages
from nixgen.lowering.tree import KINDS, SHELL, lower, target_origins, target_rows

__all__ = [
    "KINDS",
    "SHELL",
    "implied_packages",
    "lower",
    "machine_lines",
    "needs_packages",
    "target_origins",
    "target_rows",
]
