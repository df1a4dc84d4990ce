"""What happens while targets are evaluated, as a closed union."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

__all__ = [
    "EvaluationEvent",
    "EvaluationSaid",
    "EvaluationStarted",
    "TargetEvaluated",
    "TargetRefused",
    "TargetStarted",
]


@frozen(kw_only=True)
class EvaluationStarted:
    """
    :param targets: to be evaluated now.
    :param remembered: known from earlier runs.
    """

    targets: int
    remembered: int


@frozen(kw_only=True)
class TargetStarted:
    """Not told where nix-eval-jobs evaluates."""

    attr: str


@frozen(kw_only=True)
class TargetEvaluated:
    """:param seconds: that it took; None where nobody knows."""

    attr: str
    seconds: float | None


@frozen(kw_only=True)
class TargetRefused:
    """Nix rejects the target; the error comes at the end."""

    attr: str


@frozen(kw_only=True)
class EvaluationSaid:
    """A warning, or a trace in the user's Nix: ``text`` is a line, told once however many evaluations say it."""

    text: str


EvaluationEvent: TypeAlias = (
    EvaluationStarted | TargetStarted | TargetEvaluated | TargetRefused | EvaluationSaid
)
