"""Evaluate JSON documents of a generated tree, without instantiating or building anything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nixgen.driver.commands.nix import NixOptions, evaluate
from nixgen.driver.evaluate import Blame, Ending, Tree, refusal
from nixgen.driver.evaluate.commands import tree_call
from nixgen.programs.runner import Runner

__all__ = ["evaluate_documents"]


def evaluate_documents(
    tree: Tree,
    attrs: Iterable[str],
    *,
    runner: Runner,
    options: NixOptions,
    blame: Blame = Blame(),  # noqa: B008 - a frozen value
) -> tuple[Any, ...]:
    """Evaluate the attribute ``document`` of targets, all in one evaluation. The store gets
    nothing.

    :param tree: the generated tree.
    :param attrs: the targets.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param blame: leads an error back to the user's line.
    :return: the documents, in the order of ``attrs``.
    :raises EvaluationError: Nix rejects one; with ``where`` as far as it can be known.
    :raises MissingToolError: there is no Nix.
    """
    words = ("--json", *tree_call("documents.nix", tree, attrs))
    done = runner.run(evaluate(options, *words, variables=tree.variables))
    if not done.ok:
        raise refusal(None, done.stderr, Ending.of_status(done.status), blame=blame)
    return tuple(json.loads(done.stdout))
