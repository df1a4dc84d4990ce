"""Evaluate by nix-eval-jobs, if it is installed.

It shares the targets among its own workers, and limits their memory by ending each between two
targets. Targets may be left over, because a worker of it died or because it does not know a flag.
The caller evaluates these in another way.

Its output has a line of JSON for each target (``src/nix-eval-jobs.cc``): ``{attr, drvPath, outputs:
{name: path}, …}`` or ``{attr, error}``. The form is the same in 0.0.6, for Nix 2.8, and in 2.33.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from attrs import frozen

from nixgen.driver.evaluate import commands
from nixgen.driver.evaluate.refusal import Ending, refusal
from nixgen.driver.evaluate.session import Session
from nixgen.driver.evaluate.target import Outputs, Target
from nixgen.errors import EvaluationError
from nixgen.programs.command import Command
from nixgen.records.structure import parse_as

__all__ = ["EvalJobs", "eval_jobs_program"]


def eval_jobs_program() -> str | None:
    """The path of nix-eval-jobs; None if it is not installed."""
    return shutil.which("nix-eval-jobs")


class _Cancelled(Exception):  # noqa: N818 - not an error: it ends a process that nixgen started
    pass


@frozen(kw_only=True)
class _Job:
    """A line of nix-eval-jobs: a derivation or an error."""

    attr: str
    drv_path: str | None = None
    outputs: Outputs | None = None
    error: str | None = None


@frozen
class EvalJobs:
    """Evaluates targets by ``nix-eval-jobs``.

    :param session: the settings and the results of the evaluation.
    """

    session: Session

    def evaluate(self, attrs: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """Evaluate targets, in any order.

        :param attrs: the targets.
        :return: the targets that are left over, and the last error message of the program.
        """
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
                return  # its target is left over
            if job.attr in names and self._record(names[job.attr], job):
                del names[job.attr]

        def line(text: bytes) -> None:
            nonlocal last
            if text.startswith(b"error:"):
                last = text
            self.session.results.log(text)

        def tick(_process: int) -> None:
            if self.session.results.cancelled.is_set():
                raise _Cancelled

        try:
            self.session.runner.lines(self._command(attrs), line, on_output=output, on_tick=tick)
        except _Cancelled:
            return (), ""  # the evaluation ends; nothing is left for others to do
        return tuple(names.values()), last.decode("utf-8", "replace").partition(":")[2].strip()

    def _command(self, attrs: Sequence[str]) -> Command:
        limits = self.session.limits
        workers = min(limits.workers, len(attrs))
        return commands.evaluate_jobs(
            self.session.options,
            self.session.tree,
            attrs,
            workers=workers,
            memory=limits.memory // workers,
        )

    def _record(self, attr: str, job: _Job) -> bool:
        """Pass on the result of a job.

        :return: whether there is one.
        """
        if job.error is not None:
            error = refusal(attr, job.error.encode(), Ending.ERROR, blame=self.session.blame)
            if not isinstance(error, EvaluationError):
                raise error
            self.session.results.refuse(attr, error)
        elif job.drv_path and job.outputs:
            target = Target(attr=attr, drv=job.drv_path, outputs=job.outputs)
            self.session.results.accept(target, None)
        else:
            return False
        return True
