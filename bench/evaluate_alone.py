"""Seconds that evaluating a fleet takes, its tree written and Python started. usage: evaluate_alone.py FOLDER BASE MACHINES

What each target took the last time is known, as it is to nixgen.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nixgen.debian.locking import machine_mirrors
from nixgen.debian.mirrors import mirrors_env
from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Costs, EvaluationCache, Limits, Tree, evaluate
from nixgen.programs.runner import SubprocessRunner


def main() -> None:
    folder, base, machines = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    runner, options = SubprocessRunner(), NixOptions.of_host()
    tree = Tree(
        file=folder / "generated/default.nix",
        base=base,
        mirrors=mirrors_env(machine_mirrors(runner)),
    )
    attrs = [f"machines.m-{number}" for number in range(machines)]
    costs = Costs(seconds=EvaluationCache(folder / ".nixgen/cache/evaluations").seconds())
    started = time.perf_counter()
    evaluate(
        tree, attrs, runner=runner, options=options, limits=Limits.of_host(), costs=costs
    ).require()
    print(time.perf_counter() - started)


main()
