"""Spans of time as the verbs of the cache print them."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["span_text"]


def span_text(span: timedelta) -> str:
    """A span of time in its largest fitting unit: ``12 min``, ``7 h``, ``5 days``.

    :param span: the span; a negative one counts as none.
    """
    minutes = max(0.0, span.total_seconds() / 60)
    if minutes >= 3 * 24 * 60:
        return f"{minutes / (24 * 60):.0f} days"
    return f"{minutes / 60:.0f} h" if minutes >= 60 else f"{minutes:.0f} min"
