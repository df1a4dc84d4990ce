"""Values of the generated tree, by evaluation alone: nothing is instantiated and nothing is built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nixgen.driver._trace import parse_trace
from nixgen.driver.command import Command
from nixgen.driver.evaluation import Locate, _error, _no_location
from nixgen.driver.nix import MIRRORS_VARIABLE, NixOptions
from nixgen.driver.runner import Runner

__all__ = ["evaluate_documents"]

_EXPRESSION = Path(__file__).with_suffix(".nix")


def evaluate_documents(
    file: Path,
    attrs: Iterable[str],
    *,
    runner: Runner,
    options: NixOptions,
    base: str = "debian",
    environment: str | None = None,
    inputs: Mapping[str, Path] = MappingProxyType({}),
    mirrors: str | None = None,
    locate: Locate = _no_location,
    origins: Mapping[str, str | None] = MappingProxyType({}),
    debug: bool = False,
) -> tuple[Any, ...]:
    """The attribute ``document`` of the targets ``attrs``, in that order. All is as for `nixgen.driver.evaluation.evaluate`, but that
    the store gets nothing.

    :raises EvaluationError: with the essential message, and ``where`` as far as it can be known.
    :raises MissingToolError: there is no Nix.
    """
    arguments: dict[str, Any] = {"base": base}
    if environment is not None:
        arguments["environment"] = environment
    if inputs:
        arguments["inputs"] = {name: str(path) for name, path in inputs.items()}
    command = Command(
        argv=(
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            *options.arguments,
            # costs nothing as long as nothing is wrong, and only it knows the target and the user's lines
            "--show-trace",
            *("--argstr", "file", str(file.absolute())),
            *("--argstr", "arguments", json.dumps(arguments, ensure_ascii=False)),
            *("--argstr", "attrs", json.dumps(list(attrs), ensure_ascii=False)),
            str(_EXPRESSION),
        ),
        env={} if mirrors is None else {MIRRORS_VARIABLE: mirrors},
    )
    done = runner.run(command)
    if not done.ok:
        trace = parse_trace(done.stderr)
        raise _error(trace, done, locate=locate, origins=origins, debug=debug)
    return tuple(json.loads(done.stdout))
