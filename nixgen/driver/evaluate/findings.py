"""What an evaluation has found so far, from all threads."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from attrs import define, field

from nixgen.driver.commands.nix import is_noise
from nixgen.driver.evaluate.events import (
    EvaluationEvent,
    EvaluationSaid,
    TargetEvaluated,
    TargetRefused,
    TargetStarted,
)
from nixgen.driver.evaluate.target import Target
from nixgen.driver.messages.wire import clean
from nixgen.errors import EvaluationError

__all__ = ["Findings", "Keep"]

#: warnings of Nix that are about nixgen's own doing, or about what no evaluation of ours reads
_CHATTER = re.compile(
    r"SQLite database .* is busy|Nix search path entry|ignoring the client-specified setting"
)

Keep = Callable[[Target, float | None], None]
"""Remembers a target, and the seconds that it took if that is known; called as soon as it is evaluated."""


@define(kw_only=True)
class Findings:
    """Any thread may call; observers are called by one at a time.

    :param keep_going: whether the others are finished when a target is wrong.
    """

    observe: Callable[[EvaluationEvent], None]
    keep: Keep
    keep_going: bool = True
    targets: dict[str, Target] = field(factory=dict, init=False)
    errors: dict[str, EvaluationError] = field(factory=dict, init=False)
    _fatal: BaseException | None = field(default=None, init=False)
    _cancelled: threading.Event = field(factory=threading.Event, init=False)
    _said: set[bytes] = field(factory=set, init=False)
    _lock: threading.RLock = field(factory=threading.RLock, init=False)

    @property
    def cancelled(self) -> bool:
        """Whether whatever still runs is to end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()

    def begin(self, attr: str) -> None:
        with self._lock:
            self.observe(TargetStarted(attr=attr))

    def evaluated(self, target: Target, seconds: float | None) -> None:
        with self._lock:
            self.targets[target.attr] = target
            self.keep(target, seconds)
            self.observe(TargetEvaluated(attr=target.attr, seconds=seconds))

    def refused(self, attr: str, error: EvaluationError) -> None:
        """Nix rejects this target; the others are another matter."""
        with self._lock:
            self.errors[attr] = error
            self.observe(TargetRefused(attr=attr))
        if not self.keep_going:
            self.cancel()

    def said(self, line: bytes) -> None:
        """A line that Nix wrote. Warnings and the user's traces are told; each once, for every process says it anew."""
        text = clean(line.decode("utf-8", "replace"))
        if not text.startswith(("trace: ", "warning: ", "evaluation warning: ")):
            return
        if is_noise(text) or _CHATTER.search(text):
            return
        with self._lock:
            if line not in self._said:
                self._said.add(line)
                self.observe(EvaluationSaid(text=text))

    def fail(self, error: BaseException) -> None:
        """Nothing can be evaluated, for one reason; the first one counts."""
        with self._lock:
            self._fatal = self._fatal or error
        self.cancel()

    def require(self) -> None:
        """Raise what `fail` was given."""
        if self._fatal is not None:
            raise self._fatal
