"""How fast requests go out, and how often each is tried: S3 says when it is too much, and nixgen listens.

The number of requests under way is cut by three tenths at each throttling answer (429, 503, ``SlowDown``), and grows by one after as
many good answers as are allowed at once: additive increase, multiplicative decrease, as in TCP (RFC 5681). ``Retry-After`` holds
all requests back, not only the one that was told.
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
    """What it took.

    :param requests: that were sent, repetitions included.
    :param repeated: of them, those that repeat a failed one.
    :param throttled: answers that asked for fewer requests.
    """

    requests: int
    repeated: int
    throttled: int


class Pace:
    """Runs requests, at most ``most`` at once, and repeats those that failed in a way that may pass.

    :param attempts: for each request, the first included.
    :param clock: seconds; with ``sleep``, replaceable for tests.
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
        """Requests that may be under way now."""
        return int(self._allowed)

    @property
    def statistics(self) -> PaceStatistics:
        with self._changed:
            return PaceStatistics(
                requests=self._requests, repeated=self._repeated, throttled=self._throttled
            )

    def run(self, request: Callable[[], _Result], *, attempts: int | None = None) -> _Result:
        """What ``request`` returns; it is called again after a failure that may pass, and must allow that.

        :raises S3_FAILURES: as the last attempt raised it.
        """
        most = attempts or self._attempts
        for attempt in range(1, most + 1):
            self._enter(again=attempt > 1)
            started = self._clock()
            try:
                result = request()
            except S3_FAILURES as error:
                self._leave()
                pause = self._after(error, attempt, started)
                if pause is None or attempt == most:
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
            # Without a place: another answer may hold back for longer, or allow fewer, in the meantime.
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
        """Seconds until the next attempt; None when another cannot help."""
        if not is_transient(error):
            return None
        pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1))
        # Spread, so that requests which failed together do not come back together.
        pause *= 0.5 + random.random()  # noqa: S311 - no secret depends on it
        if is_throttled(error):
            asked = min(_LONGEST_WAIT, retry_after(error))
            with self._changed:
                self._throttled += 1
                # Requests that were under way at the last cut say nothing about the pace since.
                if started > self._cut_at:
                    self._allowed = max(1.0, self._allowed * _CUT)
                    self._cut_at = self._clock()
                self._held_until = max(self._held_until, self._clock() + asked)
            pause = max(pause, asked)
        return pause
