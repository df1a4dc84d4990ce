"""Evaluating targets, with nix-eval-jobs where it is and with nix-instantiate where it is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from nixgen.driver.commands.nix import NixOptions, open_store
from nixgen.driver.evaluate.events import EvaluationEvent, EvaluationSaid, EvaluationStarted
from nixgen.driver.evaluate.findings import Findings, Keep
from nixgen.driver.evaluate.jobs import EvalJobs, eval_jobs_program
from nixgen.driver.evaluate.limits import Limits
from nixgen.driver.evaluate.refusal import Blame, all_refusals
from nixgen.driver.evaluate.schedule import Schedule, jobs_of
from nixgen.driver.evaluate.target import Target
from nixgen.driver.evaluate.tree import Tree
from nixgen.driver.evaluate.workers import Workers
from nixgen.driver.store.store import Store
from nixgen.errors import EvaluationError
from nixgen.programs.observer import ignore
from nixgen.programs.runner import Runner

__all__ = ["Costs", "Evaluated", "evaluate"]


@frozen(kw_only=True)
class Costs:
    """What is known of targets beforehand, to share them well among processes.

    :param groups: target → what it shares with others of the same group, such as their system.
    :param weights: target → how much there is in it, compared with others; 1 when it is missing.
    :param seconds: target → what it took the last time.
    """

    groups: Mapping[str, str] = MappingProxyType({})
    weights: Mapping[str, float] = MappingProxyType({})
    seconds: Mapping[str, float] = MappingProxyType({})


@frozen(kw_only=True)
class Evaluated:
    """
    :param targets: those that Nix accepts, in the order they were asked for.
    :param errors: target → why Nix does not.
    """

    targets: tuple[Target, ...]
    errors: Mapping[str, EvaluationError] = field(factory=dict)

    def require(self) -> tuple[Target, ...]:
        """:raises EvaluationError: anything is wrong; it tells of all that is."""
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
    costs: Costs = Costs(),
    blame: Blame = Blame(),  # noqa: B008
    remembered: int = 0,
    keep: Keep = ignore,
    keep_going: bool = True,
    observe: Callable[[EvaluationEvent], None] = ignore,
) -> Evaluated:
    """Instantiate targets of a generated tree; their derivations are in the store afterwards.

    A target that is wrong does not hide the others, which are finished unless ``keep_going`` is False.

    :param limits: those of this computer when None.
    :param remembered: how many targets were known already, to tell it.
    :param keep: gets every target as soon as it is evaluated, so that an interruption loses nothing.
    :raises EvaluationError: the tree as a whole is wrong.
    :raises OutsideError: what it reads cannot be fetched.
    :raises StoreError: the store cannot be written.
    :raises MissingToolError: there is no Nix.
    """
    wanted = tuple(dict.fromkeys(attrs))
    if not wanted:
        return Evaluated(targets=())
    limits = limits or Limits.of_host()
    findings = Findings(observe=observe, keep=keep, keep_going=keep_going)
    observe(EvaluationStarted(targets=len(wanted), remembered=remembered))
    if limits.workers > 1 and len(wanted) > 1 and not os.path.exists(Store.of_host().database):  # noqa: PTH110
        # Two processes that make a new store's database at once are in each other's way.
        runner.run(open_store(options))
    rest: tuple[str, ...] = wanted
    if eval_jobs_program() is not None:
        jobs = EvalJobs(
            tree=tree,
            runner=runner,
            options=options,
            limits=limits,
            blame=blame,
            findings=findings,
        )
        rest, reason = jobs.evaluate(wanted)
        if rest:
            observe(
                EvaluationSaid(
                    text=f"warning: nix-eval-jobs left {len(rest)} of {len(wanted)} targets undone"
                    f"{f' ({reason})' if reason else ''}; going on with nix-instantiate"
                )
            )
    if rest:
        jobs_left = jobs_of(rest, groups=costs.groups, weights=costs.weights, seconds=costs.seconds)
        Workers(
            tree=tree,
            runner=runner,
            options=options,
            limits=limits,
            blame=blame,
            findings=findings,
        ).evaluate(Schedule.of(jobs_left, limits.workers))
    findings.require()
    return Evaluated(
        targets=tuple(findings.targets[attr] for attr in wanted if attr in findings.targets),
        errors={attr: findings.errors[attr] for attr in wanted if attr in findings.errors},
    )
