"""Evaluate a Nix function to a JSON value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nixgen.driver.commands.nix import NixOptions, evaluate
from nixgen.driver.messages.faults import input_fault, store_fault
from nixgen.driver.messages.trace import Trace, parse_trace
from nixgen.errors import EvaluationError, NixgenError
from nixgen.programs.runner import Runner

__all__ = ["json_value"]


def json_value(
    file: Path,
    arguments: Mapping[str, object],
    *,
    runner: Runner,
    options: NixOptions,
    root: Path | None = None,
    debug: bool = False,
) -> Any:
    """The value that a Nix function returns for arguments.

    :param file: the Nix file with the function.
    :param arguments: its arguments, as `json.dumps` takes them.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param root: the project's folder. Errors name the places in it.
    :param debug: put Nix's whole trace into an error's details.
    :return: the value, which JSON must be able to hold.
    :raises EvaluationError: Nix cannot evaluate it. If the file says ``while reading …``, the
        details say it, too.
    :raises LockError: an input is not what its pin says.
    :raises OutsideError: an input cannot be fetched; there is no Nix, or no space.
    """
    command = evaluate(
        options,
        "--json",
        *("--argstr", "file", str(file.absolute())),
        *("--argstr", "arguments", json.dumps(dict(arguments), ensure_ascii=False)),
        *("--expr", "{ file, arguments }: import (/. + file) (builtins.fromJSON arguments)"),
    )
    done = runner.run(command)
    if not done.ok:
        raise _error(parse_trace(done.stderr), root=root, debug=debug)
    return json.loads(done.stdout)


def _error(trace: Trace, *, root: Path | None, debug: bool) -> NixgenError:
    fault = store_fault(trace.message) or input_fault(trace.lines)
    if fault is not None:
        return fault
    first, *more = trace.message or ("Nix failed and said nothing",)
    places = [f"{path}:{line}" for path, line in trace.positions]
    own = [place.removeprefix(f"{root}/") for place in places if place.startswith(f"{root}/")]
    details = [*more, *(line.strip(" …") for line in trace.lines if "… while reading" in line)]
    if not own and places:
        details.append(f"at {places[0]}")
    return EvaluationError(
        first,
        where=own[0] if own else None,
        hint=None if debug else "see Nix's whole trace with --debug",
        details=(*details, *(trace.lines if debug else ())),
    )
