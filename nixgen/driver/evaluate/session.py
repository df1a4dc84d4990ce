"""The values that all processes of one evaluation share."""

from __future__ import annotations

from attrs import frozen

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate.limits import Limits
from nixgen.driver.evaluate.refusal import Blame
from nixgen.driver.evaluate.results import Results
from nixgen.driver.evaluate.tree import Tree
from nixgen.programs.runner import Runner

__all__ = ["Session"]


@frozen(kw_only=True)
class Session:
    """One evaluation: its input, its settings, and the results so far.

    :param tree: the generated tree.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param limits: the number of processes, and the memory that they may use together.
    :param blame: leads an error back to the user's line.
    :param results: collects the results of all processes.
    """

    tree: Tree
    runner: Runner
    options: NixOptions
    limits: Limits
    blame: Blame
    results: Results
