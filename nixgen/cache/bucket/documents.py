"""The JSON documents that nixgen keeps in a cache for itself, below ``nixgen/`` (docs/contracts.md §9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nixgen.errors import VerifyError
from nixgen.records.document import document

__all__ = [
    "DOCUMENT_TYPE",
    "Document",
    "decode",
    "encode",
    "instant_text",
    "parse_instant",
    "unreadable",
]

DOCUMENT_TYPE = "application/json"

Document = dict[str, Any]


def encode(schema: str, body: Mapping[str, Any]) -> bytes:
    """With sorted keys, so that equal values are equal objects."""
    return (
        json.dumps(
            document(
                schema,
                **body,
            ),
            sort_keys=True,
            indent=1,
        ).encode()
        + b"\n"
    )


def decode(data: bytes, schema: str, *, source: str) -> Document:
    """Read a document back.

    :param source: its name in the cache, for the error.
    :raises VerifyError: it is not JSON, or not of this schema. Guessing what it protects is not an option.
    """
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise unreadable(source, schema)
    return document


def unreadable(source: str, schema: str) -> VerifyError:
    """The error about a document that does not say what ``schema`` demands."""
    return VerifyError(
        f"{source} is not a document of the schema {schema}",
        hint="look at it; remove it from the bucket if nothing that it names is needed, or use a newer nixgen",
    )


def instant_text(moment: datetime) -> str:
    """RFC 3339 in UTC: ``2026-11-23T20:30:00Z``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_instant(text: str) -> datetime:
    """Read `instant_text` back.

    :raises ValueError: on anything else.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
