"""Project → expressions, one for each file of the generated tree. Pure: no I/O, no clock, no host paths."""

from nixgen.lowering.project import lower, target_origins
from nixgen.lowering.tests import implied_packages

__all__ = ["implied_packages", "lower", "target_origins"]
