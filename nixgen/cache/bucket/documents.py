"""The JSON documents that nixgen keeps in a cache, below ``nixgen/`` (docs/contracts.md §9)."""

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
    """Write a document, with sorted keys, so that equal values are equal objects.

    :param schema: its schema, such as ``nixgen/cache-lease/1``.
    :param body: its other members.
    """
    return json.dumps(document(schema, **body), sort_keys=True, indent=1).encode() + b"\n"


def decode(data: bytes, schema: str, *, source: str) -> Document:
    """Read a document.

    :param data: its bytes.
    :param schema: the schema that it must have.
    :param source: its name in the cache, for the error.
    :raises VerifyError: it is not JSON, or of another schema. It may protect paths from deletion,
        so it cannot be passed over.
    """
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("schema") != schema:
        raise unreadable(source, schema)
    return found


def unreadable(source: str, schema: str) -> VerifyError:
    """The error for a document that does not have the members of its schema.

    :param source: its name in the cache.
    :param schema: the schema that it should have.
    """
    return VerifyError(
        f"{source} is not a document of the schema {schema}",
        hint="look at it; remove it from the bucket if nothing that it names is needed, or use a newer nixgen",
    )


def instant_text(moment: datetime) -> str:
    """A moment as in RFC 3339, in UTC: ``2026-11-23T20:30:00Z``.

    :param moment: with a time zone.
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_instant(text: str) -> datetime:
    """Read a moment that `instant_text` wrote.

    :param text: such as ``2026-11-23T20:30:00Z``.
    :raises ValueError: it has another form.
    """
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
