"""Evaluate targets by nix-eval-jobs if it is installed, and by nix-instantiate if it is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from attrs import field, frozen

from nixgen.driver.commands.nix import NixOptions, open_store
from nixgen.driver.evaluate.events import EvaluationEvent, EvaluationMessage, EvaluationStarted
from nixgen.driver.evaluate.jobs import EvalJobs, eval_jobs_program
from nixgen.driver.evaluate.limits import Limits
from nixgen.driver.evaluate.refusal import Blame, all_refusals
from nixgen.driver.evaluate.results import Keep, Results
from nixgen.driver.evaluate.schedule import Costs, Schedule, estimate_jobs
from nixgen.driver.evaluate.session import Session
from nixgen.driver.evaluate.target import Target
from nixgen.driver.evaluate.tree import Tree
from nixgen.driver.evaluate.workers import Workers
from nixgen.driver.store.store import Store
from nixgen.errors import EvaluationError, counted
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["Costs", "Evaluated", "evaluate"]


@frozen(kw_only=True)
class Evaluated:
    """The result of an evaluation.

    :param targets: the targets that Nix accepts, in the order of the request.
    :param errors: target → the reason why Nix rejects it.
    """

    targets: tuple[Target, ...]
    errors: Mapping[str, EvaluationError] = field(factory=dict)

    def require(self) -> tuple[Target, ...]:
        """The targets, if all are right.

        :raises EvaluationError: one is wrong; the error lists all that are.
        """
        error = all_refusals(self.errors, len(self.targets) + len(self.errors))
        if error is not None:
            raise error
        return self.targets


def evaluate(
    tree: Tree,
    attrs: Iterable[str],
    *,
    runner: Runner,
    options: NixOptions,
    limits: Limits | None = None,
    costs: Costs = Costs(),  # noqa: B008 - frozen
    blame: Blame = Blame(),  # noqa: B008 - frozen
    remembered: int = 0,
    keep: Keep = ignore,
    keep_going: bool = True,
    observe: Callable[[EvaluationEvent], None] = ignore,
) -> Evaluated:
    """Instantiate targets of a generated tree: afterwards their derivations are in the store.

    :param tree: the generated tree.
    :param attrs: the targets.
    :param runner: runs Nix.
    :param options: the settings of Nix.
    :param limits: the processes and memory to use; None stands for `Limits.of_host`.
    :param costs: estimates of what each target costs.
    :param blame: leads an error back to the user's line.
    :param remembered: the number of targets that need no evaluation, for the first event.
    :param keep: gets each target as soon as it is evaluated, so that an interruption loses nothing.
    :param keep_going: whether to finish the other targets after one is wrong.
    :param observe: gets each event.
    :raises EvaluationError: the tree as a whole is wrong.
    :raises OutsideError: an input of the evaluation cannot be fetched.
    :raises StoreError: the store cannot be written.
    :raises MissingToolError: there is no Nix.
    """
    wanted = tuple(dict.fromkeys(attrs))
    if not wanted:
        return Evaluated(targets=())
    limits = limits or Limits.of_host()
    results = Results(observe=observe, keep=keep, keep_going=keep_going)
    observe(EvaluationStarted(targets=len(wanted), remembered=remembered))
    if limits.workers > 1 and len(wanted) > 1 and not os.path.exists(Store.of_host().database):  # noqa: PTH110 - the path is text
        # Two processes that create the database of a new store at once disturb each other.
        runner.run(open_store(options))
    session = Session(
        tree=tree, runner=runner, options=options, limits=limits, blame=blame, results=results
    )
    rest: tuple[str, ...] = wanted
    if eval_jobs_program() is not None:
        rest, reason = EvalJobs(session).evaluate(wanted)
        if rest:
            observe(
                EvaluationMessage(
                    text=f"warning: nix-eval-jobs left {len(rest)} of {counted(len(wanted), 'target')} undone"
                    f"{f' ({reason})' if reason else ''}; going on with nix-instantiate"
                )
            )
    if rest:
        Workers(session).evaluate(Schedule.share(estimate_jobs(rest, costs), limits.workers))
    results.require()
    return Evaluated(
        targets=tuple(results.targets[attr] for attr in wanted if attr in results.targets),
        errors={attr: results.errors[attr] for attr in wanted if attr in results.errors},
    )
