"""Values of the generated tree, by evaluation alone: nothing is instantiated and nothing is built."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import Blame, Ending, Tree, refusal
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner

__all__ = ["evaluate_documents"]

_EXPRESSION = Path(__file__).with_suffix(".nix")


def evaluate_documents(
    tree: Tree,
    attrs: Iterable[str],
    *,
    runner: Runner,
    options: NixOptions,
    blame: Blame = Blame(),  # noqa: B008 - a frozen value
) -> tuple[Any, ...]:
    """The attribute ``document`` of the targets ``attrs``, in that order, from one evaluation; the store gets nothing.

    :raises EvaluationError: with the essential message, and ``where`` as far as it can be known.
    :raises MissingToolError: there is no Nix.
    """
    command = Command(
        argv=(
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            *options.arguments,
            # costs nothing as long as nothing is wrong, and only it knows the target and the user's lines
            "--show-trace",
            *("--argstr", "file", str(tree.file.absolute())),
            *("--argstr", "arguments", tree.arguments),
            *("--argstr", "attrs", json.dumps(list(attrs), ensure_ascii=False)),
            str(_EXPRESSION),
        ),
        env=tree.variables,
    )
    done = runner.run(command)
    if not done.ok:
        raise refusal(None, done.stderr, Ending.of_status(done.status), blame=blame)
    return tuple(json.loads(done.stdout))
