"""The pace of requests: how many run at once, and how often each is repeated.

At each throttling answer (429, 503, ``SlowDown``) the number of requests allowed at once is cut by
three tenths. It grows by one after as many good answers as are allowed at once. This is additive
increase and multiplicative decrease, as in TCP (RFC 5681). ``Retry-After`` delays all requests, not
only the one that it answers.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from attrs import frozen

from nixgen.cache.bucket.s3_errors import S3_FAILURES, is_throttled, is_transient, retry_after

__all__ = ["Pace", "PaceStatistics"]

_Result = TypeVar("_Result")

_CUT = 0.7
_FIRST_PAUSE = 0.1  # seconds; doubles from one attempt to the next
_LONGEST_PAUSE = 20.0
_LONGEST_WAIT = 120.0  # a server that asks for more is down


@frozen(kw_only=True)
class PaceStatistics:
    """The number of requests that some work took.

    :param requests: all requests, repetitions included.
    :param repeated: requests that repeat a failed one.
    :param throttled: answers that asked for fewer requests.
    """

    requests: int = 0
    repeated: int = 0
    throttled: int = 0

    def __add__(self, other: PaceStatistics) -> PaceStatistics:
        """The numbers of both."""
        return PaceStatistics(
            requests=self.requests + other.requests,
            repeated=self.repeated + other.repeated,
            throttled=self.throttled + other.throttled,
        )


class Pace:
    """Runs requests, and repeats those with a temporary failure.

    :param most: how many requests may run at once.
    :param attempts: how often a request is sent at most.
    :param clock: returns seconds; replaceable for tests, as is ``sleep``.
    :param sleep: waits for some seconds.
    """

    def __init__(
        self,
        most: int,
        attempts: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._most = most
        self._attempts = attempts
        self._clock = clock
        self._sleep = sleep
        self._allowed = float(most)
        self._running = 0
        self._held_until = 0.0
        self._cut_at = float("-inf")
        self._requests = self._repeated = self._throttled = 0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many requests may run at once now."""
        return int(self._allowed)

    @property
    def statistics(self) -> PaceStatistics:
        """The number of requests so far."""
        with self._changed:
            return PaceStatistics(
                requests=self._requests, repeated=self._repeated, throttled=self._throttled
            )

    def run(self, request: Callable[[], _Result]) -> _Result:
        """Call a function that sends a request, and again after a temporary failure.

        :param request: the function; it must allow to be called again.
        :returns: its result.
        :raises S3_FAILURES: as the last attempt raised it.
        """
        for attempt in range(1, self._attempts + 1):
            self._enter(again=attempt > 1)
            started = self._clock()
            try:
                result = request()
            except S3_FAILURES as error:
                self._leave()
                pause = self._after(error, attempt, started)
                if pause is None or attempt == self._attempts:
                    raise
                self._sleep(pause)
            except BaseException:
                self._leave()
                raise
            else:
                self._leave()
                self._good()
                return result
        raise AssertionError("the last attempt returns or raises")

    def _enter(self, *, again: bool) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running < max(1, int(self._allowed)))
                held = self._held_until - self._clock()
                if held <= 0:
                    self._running += 1
                    self._requests += 1
                    self._repeated += again
                    return
            # Without a place: another answer may hold back for longer, or allow fewer, in the
            # meantime.
            self._sleep(held)

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify()

    def _good(self) -> None:
        if self._allowed < self._most:
            with self._changed:
                self._allowed = min(self._most, self._allowed + 1 / max(1.0, self._allowed))
                self._changed.notify()

    def _after(self, error: Exception, attempt: int, started: float) -> float | None:
        """Seconds until the next attempt; None when another attempt cannot help."""
        if not is_transient(error):
            return None
        pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1))
        # Spread, so that requests which failed together do not come back together.
        pause *= 0.5 + random.random()  # noqa: S311 - no secret depends on it
        if is_throttled(error):
            wait = min(_LONGEST_WAIT, retry_after(error))
            with self._changed:
                self._throttled += 1
                # Requests that were under way at the last cut say nothing about the pace since.
                if started > self._cut_at:
                    self._allowed = max(1.0, self._allowed * _CUT)
                    self._cut_at = self._clock()
                self._held_until = max(self._held_until, self._clock() + wait)
            pause = max(pause, wait)
        return pause
