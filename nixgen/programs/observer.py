"""Observers: functions that get the events of long work at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Observer", "ignore"]

Observer: TypeAlias = Callable[[Any], None]
"""A function that gets each event, a value of a class of its own."""


def ignore(*_anything: object) -> None:
    """An observer, or another callback, that does nothing."""
