"""Project → expressions, one for each file of the generated tree. Pure: no I/O, no clock, no host paths."""

from nixgen.lowering.project import lower, target_origins

__all__ = ["lower", "target_origins"]
