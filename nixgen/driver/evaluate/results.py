"""The results of an evaluation, collected from all threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from attrs import define, field

from nixgen.driver.commands.nix import is_noise
from nixgen.driver.evaluate.events import (
    EvaluationEvent,
    EvaluationMessage,
    TargetEvaluated,
    TargetRefused,
    TargetStarted,
)
from nixgen.driver.evaluate.target import Target
from nixgen.driver.messages.wire import clean
from nixgen.errors import EvaluationError

__all__ = ["Keep", "Results"]

#: Warnings of Nix that the user cannot act on: nixgen causes them, or they are about settings that
#: no evaluation of nixgen reads.
_CHATTER = re.compile(
    r"SQLite database .* is busy|Nix search path entry|ignoring the client-specified setting"
)

Keep = Callable[[Target, float | None], None]
"""Saves a target and the seconds of its evaluation, if known. Called as soon as it is evaluated."""


@define(kw_only=True)
class Results:
    """The targets and errors of an evaluation. Threads may call its methods at the same time.

    :param observe: gets each event; never called by two threads at once.
    :param keep: gets each evaluated target; never called by two threads at once.
    :param keep_going: whether to finish the other targets after one is wrong.
    """

    observe: Callable[[EvaluationEvent], None]
    keep: Keep
    keep_going: bool = True
    targets: dict[str, Target] = field(factory=dict, init=False)
    errors: dict[str, EvaluationError] = field(factory=dict, init=False)
    _fatal: BaseException | None = field(default=None, init=False)
    cancelled: threading.Event = field(factory=threading.Event, init=False)
    _logged: set[bytes] = field(factory=set, init=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False)

    def begin(self, attr: str) -> None:
        """Report that the evaluation of a target begins.

        :param attr: the target.
        """
        with self._lock:
            self.observe(TargetStarted(attr=attr))

    def accept(self, target: Target, seconds: float | None) -> None:
        """Record an evaluated target.

        :param target: the result.
        :param seconds: the duration of its evaluation; None when it is unknown.
        """
        with self._lock:
            self.targets[target.attr] = target
            self.keep(target, seconds)
            self.observe(TargetEvaluated(attr=target.attr, seconds=seconds))

    def refuse(self, attr: str, error: EvaluationError) -> None:
        """Record that Nix rejects a target. This says nothing about the others.

        :param attr: the target.
        :param error: the reason.
        """
        with self._lock:
            self.errors[attr] = error
            self.observe(TargetRefused(attr=attr))
        if not self.keep_going:
            self.cancelled.set()

    def log(self, line: bytes) -> None:
        """Report a line of Nix if it is a warning or a trace of the user's, and was not reported
        before.

        :param line: the line. Each process of an evaluation may write the same one.
        """
        text = clean(line.decode("utf-8", "replace"))
        if not text.startswith(("trace: ", "warning: ", "evaluation warning: ")):
            return
        if is_noise(text) or _CHATTER.search(text):
            return
        with self._lock:
            if line not in self._logged:
                self._logged.add(line)
                self.observe(EvaluationMessage(text=text))

    def fail(self, error: BaseException) -> None:
        """End the whole evaluation with an error. The first one counts.

        :param error: the reason.
        """
        with self._lock:
            self._fatal = self._fatal or error
        self.cancelled.set()

    def require(self) -> None:
        """Raise what `fail` was given."""
        if self._fatal is not None:
            raise self._fatal
