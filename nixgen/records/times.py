"""Times in documents: RFC 3339 in UTC with whole seconds, such as ``2026-11-23T20:30:00Z``."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["parse_time", "time_text"]


def time_text(moment: datetime) -> str:
    """Write a time, such as ``2026-11-23T20:30:00Z``.

    :param moment: the time, with its time zone.
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> datetime:
    """Read the text of `time_text`.

    :param text: a time in UTC.
    :raises ValueError: the text is anything else.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
