"""The events of an evaluation, as a closed union."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

__all__ = [
    "EvaluationEvent",
    "EvaluationMessage",
    "EvaluationStarted",
    "TargetEvaluated",
    "TargetRefused",
    "TargetStarted",
]


@frozen(kw_only=True)
class EvaluationStarted:
    """The evaluation begins.

    :param targets: the number of targets to evaluate.
    :param remembered: the number of targets that earlier runs have evaluated.
    """

    targets: int
    remembered: int


@frozen(kw_only=True)
class TargetStarted:
    """The evaluation of a target begins. nix-eval-jobs does not report this.

    :param attr: the target.
    """

    attr: str


@frozen(kw_only=True)
class TargetEvaluated:
    """A target is evaluated.

    :param attr: the target.
    :param seconds: the duration; None where it is unknown.
    """

    attr: str
    seconds: float | None


@frozen(kw_only=True)
class TargetRefused:
    """Nix rejects a target. The error is raised at the end of the evaluation.

    :param attr: the target.
    """

    attr: str


@frozen(kw_only=True)
class EvaluationMessage:
    """A warning, or a trace in the user's Nix. Each text is reported once in an evaluation.

    :param text: the line.
    """

    text: str


EvaluationEvent: TypeAlias = (
    EvaluationStarted | TargetStarted | TargetEvaluated | TargetRefused | EvaluationMessage
)
