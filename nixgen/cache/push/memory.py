"""A semaphore counted in bytes. It bounds the memory of a push."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["ByteBudget", "StoppedError"]


class StoppedError(Exception):
    """The push ends early. Handlers clean up without a message; it is never raised to users."""


class ByteBudget:
    """A budget of bytes. Requests are granted in order, so that large ones do not starve.

    A request for more than the whole budget is granted when nothing else is in use.

    :param size: bytes of the budget.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.peak = 0
        self._out = 0
        self._stopped = False
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def acquire(self, count: int) -> None:
        """Wait until some bytes are free, and take them.

        :param count: number of bytes.
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
        """Return bytes to the budget.

        :param count: number of bytes.
        """
        with self._changed:
            self._out -= count
            self._changed.notify_all()

    def stop(self) -> None:
        """Raise `StoppedError` in every waiting and every later `acquire`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _may_go(self, ticket: object, count: int) -> bool:
        return self._queue[0] is ticket and (self._out + count <= self.size or self._out == 0)
