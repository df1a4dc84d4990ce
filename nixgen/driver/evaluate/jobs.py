"""Evaluating with nix-eval-jobs, where it is installed.

It shares work among its own workers and bounds their memory itself, ending each between two targets. What it leaves
undone, because a worker of its died or it knows no such flag, is left to whoever asked.

The form of its lines (``src/nix-eval-jobs.cc``): ``{attr, drvPath, outputs: {name: path}, …}`` or ``{attr, error}``;
the same in 0.0.6, for Nix 2.8, and in 2.33.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from attrs import frozen

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.evaluate import commands
from nixgen.driver.evaluate.findings import Findings
from nixgen.driver.evaluate.limits import Limits
from nixgen.driver.evaluate.refusal import Blame, Ending, refusal
from nixgen.driver.evaluate.target import Outputs, Target
from nixgen.driver.evaluate.tree import Tree
from nixgen.errors import EvaluationError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.records.structure import parse_as

__all__ = ["EvalJobs", "eval_jobs_program"]


def eval_jobs_program() -> str | None:
    """Where nix-eval-jobs is."""
    return shutil.which("nix-eval-jobs")


class _Cancelled(Exception):  # noqa: N818 - ends a process of ours
    pass


@frozen(kw_only=True)
class _Job:
    """A line of nix-eval-jobs: a derivation or an error."""

    attr: str
    drv_path: str | None = None
    outputs: Outputs | None = None
    error: str | None = None


@frozen(kw_only=True)
class EvalJobs:
    """One ``nix-eval-jobs``."""

    tree: Tree
    runner: Runner
    options: NixOptions
    limits: Limits
    blame: Blame
    findings: Findings

    def evaluate(self, attrs: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """Evaluate these, in no order; what is left undone, and the last error that was said."""
        left: tuple[str, ...] = ()
        last = ""
        for first in range(0, len(attrs), commands.MOST_TARGETS):
            undone, error = self._evaluate(attrs[first : first + commands.MOST_TARGETS])
            left, last = (*left, *undone), error or last
        return left, last

    def _evaluate(self, attrs: Sequence[str]) -> tuple[tuple[str, ...], str]:
        names = {f"t{number}": attr for number, attr in enumerate(attrs)}
        last = b""

        def output(line: bytes) -> None:
            try:
                job: _Job = parse_as(_Job, line)
            except ValueError:
                return  # whatever it is about is left undone
            if job.attr in names and self._record(names[job.attr], job):
                del names[job.attr]

        def line(text: bytes) -> None:
            nonlocal last
            if text.startswith(b"error:"):
                last = text
            self.findings.said(text)

        def tick(_process: int) -> None:
            if self.findings.cancelled:
                raise _Cancelled

        try:
            self.runner.lines(self._command(attrs), line, on_output=output, on_tick=tick)
        except _Cancelled:
            return (), ""  # nobody wants the rest
        return tuple(names.values()), last.decode("utf-8", "replace").partition(":")[2].strip()

    def _command(self, attrs: Sequence[str]) -> Command:
        workers = min(self.limits.workers, len(attrs))
        return commands.evaluate_jobs(
            self.options,
            file=self.tree.file,
            arguments=self.tree.arguments,
            attrs=attrs,
            workers=workers,
            memory=self.limits.memory // workers,
            variables=self.tree.variables,
        )

    def _record(self, attr: str, job: _Job) -> bool:
        """Pass on the result of a job.

        :return: whether there is one.
        """
        if job.error is not None:
            error = refusal(attr, job.error.encode(), Ending.ERROR, blame=self.blame)
            if not isinstance(error, EvaluationError):
                raise error
            self.findings.refused(attr, error)
        elif job.drv_path and job.outputs:
            target = Target(attr=attr, drv=job.drv_path, outputs=job.outputs)
            self.findings.evaluated(target, None)
        else:
            return False
        return True
