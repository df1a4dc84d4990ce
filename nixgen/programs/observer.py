"""Observers of long work: functions that receive its events as they happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Observer", "ignore"]

Observer: TypeAlias = Callable[[Any], None]
"""Receives the events of some work, each as a value of its own class."""


def ignore(*_anything: object) -> None:
    """An observer, or another callback, that does nothing."""
