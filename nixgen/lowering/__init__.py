"""Project → expressions, one for each file of the generated tree. Pure: no I/O, no clock, no host paths."""

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
