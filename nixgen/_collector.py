"""Python's cyclic garbage collector, out of the way."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["paused_collector"]


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Do not look for cycles inside the block.

    Models and expressions are trees: reference counts free them. But the collector visits all of them again and again
    while they are being made, which costs more than the making, and grows faster than the project.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
