"""The commands that evaluate targets of a generated tree, by the Nix files beside this module."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from nixgen.driver.commands.nix import NixOptions, evaluate
from nixgen.driver.evaluate.tree import Tree
from nixgen.programs.command import Command

__all__ = ["MOST_TARGETS", "evaluate_jobs", "report_targets", "tree_call"]

MOST_TARGETS = 1000
"""The most targets of one command: the kernel allows 128 KiB for each word of a command line."""

_FOLDER = Path(__file__).parent


def report_targets(
    options: NixOptions,
    tree: Tree,
    attrs: Iterable[str],
    *,
    token: str,
    variables: Mapping[str, str],
) -> Command:
    """Evaluate targets one after the other, up to the first that is wrong.

    Each begin and end of a target is a line ``trace: TOKEN …`` on standard error; ``report.nix``
    describes them.

    :param options: the settings of Nix.
    :param tree: the generated tree.
    :param attrs: at most `MOST_TARGETS` targets.
    :param token: a word that no other trace contains.
    :param variables: additions to the environment, beside those of the tree.
    """
    return evaluate(
        options,
        "--read-write-mode",
        *tree_call("report.nix", tree, attrs),
        *("--argstr", "token", token),
        variables={**tree.variables, **variables},
    )


def evaluate_jobs(
    options: NixOptions, tree: Tree, attrs: Iterable[str], *, workers: int, memory: int
) -> Command:
    """Evaluate targets by nix-eval-jobs, which prints a line of JSON for each on standard output.

    :param options: the settings of Nix.
    :param tree: the generated tree.
    :param attrs: at most `MOST_TARGETS` targets.
    :param workers: evaluations at a time.
    :param memory: bytes that a worker may hold between two targets.
    """
    return Command(
        argv=(
            "nix-eval-jobs",
            *options.arguments,
            "--show-trace",
            "--workers",
            str(workers),
            "--max-memory-size",
            str(max(1, memory >> 20)),
            *tree_call("jobs.nix", tree, attrs),
        ),
        env=tree.variables,
    )


def tree_call(expression: str, tree: Tree, attrs: Iterable[str]) -> tuple[str, ...]:
    """The words of a command that call a Nix file of this folder with a generated tree.

    :param expression: the name of the file.
    :param tree: the generated tree.
    :param attrs: the targets.
    """
    return (
        str(_FOLDER / expression),
        *("--argstr", "file", str(tree.file.absolute())),
        *("--argstr", "arguments", tree.arguments),
        *("--argstr", "attrs", json.dumps(list(attrs), ensure_ascii=False)),
    )
