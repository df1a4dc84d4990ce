"""From the generated tree to targets: one evaluation for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import evolve, field, frozen

from nixgen.driver import nix
from nixgen.driver._trace import Trace, parse_trace
from nixgen.driver.command import Completed
from nixgen.driver.faults import input_fault, store_fault
from nixgen.driver.nix import NixOptions
from nixgen.driver.runner import Runner
from nixgen.errors import EvaluationError, NixgenError

__all__ = ["Locate", "Target", "evaluate"]

Locate = Callable[[str, int], str | None]
"""Generated file and line → the user's ``file:line``, when that line comes from one."""


def _outputs(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class Target:
    """A derivation of the generated tree.

    :param attr: attribute path, such as ``machines.web``.
    :param drv: store path of the derivation.
    :param outputs: store path by output name.
    """

    attr: str
    drv: str
    outputs: Mapping[str, str] = field(converter=_outputs, hash=False)

    @property
    def out(self) -> str:
        """The main output."""
        return self.outputs.get("out") or next(iter(self.outputs.values()))

    @classmethod
    def from_json(cls, attr: str, value: Any) -> Target:
        """:raises ValueError: (or LookupError, TypeError, AttributeError) when it is no target."""
        drv, outputs = value["drv"], dict(value["outputs"])
        words = (attr, drv, *outputs, *outputs.values())
        if not outputs or not all(isinstance(word, str) and word for word in words):
            message = f"{attr} is no target"
            raise ValueError(message)
        return cls(attr=attr, drv=drv, outputs=outputs)

    def to_json(self) -> dict[str, object]:
        return {"drv": self.drv, "outputs": dict(self.outputs)}


def _no_location(_path: str, _line: int) -> str | None:
    return None


def evaluate(
    file: Path,
    attrs: Iterable[str],
    *,
    runner: Runner,
    options: NixOptions,
    base: str = "debian",
    system: str | None = None,
    environment: str | None = None,
    inputs: Mapping[str, Path] = MappingProxyType({}),
    mirrors: str | None = None,
    locate: Locate = _no_location,
    origins: Mapping[str, str | None] = MappingProxyType({}),
    debug: bool = False,
) -> tuple[Target, ...]:
    """Instantiate ``attrs`` of the function in ``file`` (docs/contracts.md §1), in that order.

    :param inputs: trees, absolute, in place of the pins of the same names.
    :param mirrors: value of ``NIXGEN_DEBIAN_MIRRORS`` for Nix, as it is.
    :param locate: finds the user's line behind a generated one.
    :param origins: the user's line of each target, for errors that have no better one.
    :param debug: put Nix's whole trace into the error's details.
    :raises EvaluationError: with the essential message, and ``where`` as far as it can be known.
    :raises StoreError: the store cannot be written.
    :raises MissingToolError: there is no Nix.
    """
    wanted = tuple(dict.fromkeys(attrs))
    if not wanted:
        return ()
    trees = {name: str(path) for name, path in inputs.items()} or None
    arguments = {"base": base, "system": system, "environment": environment, "inputs": trees}

    def run(*, trace: bool, options: NixOptions = options) -> Completed:
        return runner.run(
            nix.instantiate_targets(
                options,
                file=file,
                attrs=wanted,
                arguments={name: value for name, value in arguments.items() if value is not None},
                mirrors=mirrors,
                debug=trace,
            )
        )

    done = run(trace=debug)
    if not done.ok:
        trace = parse_trace(done.stderr)
        if not debug and not trace.exhausted:
            # Only the long trace tells which target and which of the user's lines; it costs an
            # evaluation, and this one has failed anyway. What could not be downloaded was tried often enough.
            again = run(trace=True, options=evolve(options, download_attempts=1))
            trace = parse_trace(again.stderr) or trace
        raise _error(trace, done, locate=locate, origins=origins, debug=debug)
    try:
        values = json.loads(done.stdout)
        return tuple(
            Target.from_json(attr, value) for attr, value in zip(wanted, values, strict=True)
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EvaluationError(
            f"the generated tree gave something other than targets: {error}",
            hint="write it again with: nixgen generate",
        ) from error


def _error(
    trace: Trace,
    done: Completed,
    *,
    locate: Locate,
    origins: Mapping[str, str | None],
    debug: bool,
) -> NixgenError:
    fault = store_fault(trace.message) or input_fault(trace.lines)
    if fault is not None:
        return fault
    found = (locate(path, line) for path, line in trace.positions)
    where = next((place for place in found if place), None) or origins.get(trace.target or "")
    if trace.message:
        first, *more = trace.message
    elif done.status < 0:
        first, more = f"Nix was ended by signal {-done.status} while evaluating", []
    else:
        first, more = f"Nix failed with status {done.status} and said nothing", []
    hint = _hint(trace, done)
    if trace.target and trace.target not in first:
        first = f"{trace.target}: {first}"
    if not where and trace.positions:
        path, line = trace.positions[0]
        more = [*more, f"at {path}:{line}"]
    return EvaluationError(
        first, hint=hint, where=where, details=(*more, *(trace.lines if debug else ()))
    )


def _hint(trace: Trace, done: Completed) -> str:
    if trace.exhausted:
        return "something refers to itself, or the tree is larger than the memory of this machine"
    if done.status in {-9, -6, -11}:
        return "the machine may be out of memory; evaluate fewer targets at once"
    if any("infinite recursion" in line for line in trace.message):
        return "a value refers to itself; follow it with --debug"
    return "see Nix's whole trace with --debug"
