"""From the generated tree to targets: what is remembered, what has to be evaluated, and by whom."""

from nixgen.driver.evaluation.cache import EvaluationCache
from nixgen.driver.evaluation.engine import Costs, Evaluated, evaluate
from nixgen.driver.evaluation.jobs import eval_jobs_program
from nixgen.driver.evaluation.key import (
    TargetKey,
    nix_files,
    nix_settings,
    nix_variables,
    target_keys,
)
from nixgen.driver.evaluation.limits import Limits
from nixgen.driver.evaluation.reach import Reach
from nixgen.driver.evaluation.refusal import Blame, Ending, Locate, refusal
from nixgen.driver.evaluation.target import Target
from nixgen.driver.evaluation.tree import Tree

__all__ = [
    "Blame",
    "Costs",
    "Ending",
    "Evaluated",
    "EvaluationCache",
    "Limits",
    "Locate",
    "Reach",
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
