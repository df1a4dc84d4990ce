"""A semaphore counted in bytes: what bounds a push's memory."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["ByteBudget", "StoppedError"]


class StoppedError(Exception):
    """The push ends early; whoever sees this cleans up and says nothing. Never leaves `nixgen.cache`."""


class ByteBudget:
    """At most ``size`` bytes are out at once; waiters are served in order, so large ones do not starve.

    A request beyond ``size`` is granted when nothing else is out.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.peak = 0
        self._out = 0
        self._stopped = False
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def acquire(self, count: int) -> None:
        """Wait for ``count`` bytes.

        :raises StoppedError: after `stop`.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._stopped or self._may_go(ticket, count))
            self._queue.remove(ticket)
            self._changed.notify_all()
            if self._stopped:
                raise StoppedError
            self._out += count
            self.peak = max(self.peak, self._out)

    def release(self, count: int) -> None:
        """Give ``count`` bytes back."""
        with self._changed:
            self._out -= count
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake every waiter with `StoppedError`, now and later."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _may_go(self, ticket: object, count: int) -> bool:
        return self._queue[0] is ticket and (self._out + count <= self.size or self._out == 0)
