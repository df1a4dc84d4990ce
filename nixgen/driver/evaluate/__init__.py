"""Evaluate the targets of a generated tree, in several processes, and remember the results."""

from nixgen.driver.evaluate.cache import EvaluationCache
from nixgen.driver.evaluate.dependencies import DependencyGraph
from nixgen.driver.evaluate.engine import Evaluated, evaluate
from nixgen.driver.evaluate.jobs import eval_jobs_program
from nixgen.driver.evaluate.key import (
    TargetKey,
    nix_files,
    nix_settings,
    nix_variables,
    target_keys,
)
from nixgen.driver.evaluate.limits import Limits
from nixgen.driver.evaluate.refusal import Blame, Ending, Locate, refusal
from nixgen.driver.evaluate.schedule import Costs
from nixgen.driver.evaluate.target import Target
from nixgen.driver.evaluate.tree import Tree

__all__ = [
    "Blame",
    "Costs",
    "DependencyGraph",
    "Ending",
    "Evaluated",
    "EvaluationCache",
    "Limits",
    "Locate",
    "Target",
    "TargetKey",
    "Tree",
    "eval_jobs_program",
    "evaluate",
    "nix_files",
    "nix_settings",
    "nix_variables",
    "refusal",
    "target_keys",
]
