"""Documents as dictionaries, and their text. This module imports only the standard library."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["document", "parse_json", "parse_object", "to_text"]


def document(schema: str, /, **members: Any) -> dict[str, Any]:
    """A document: its schema, then its members.

    :param schema: such as ``nixgen/push/1``.
    :param members: by their names in JSON; values as `json.dumps` takes them.
    """
    return {"schema": schema, **members}


def to_text(value: Any, *, indent: int | None = 2) -> str:
    """Canonical JSON: equal values have equal texts. Keys are sorted, and a newline ends the text.

    :param value: as `json.dumps` takes it.
    :param indent: spaces for each level; None for one line.
    """
    return json.dumps(value, indent=indent, sort_keys=True) + "\n"


def parse_json(text: str | bytes) -> Any:
    """Read JSON.

    :param text: the document.
    :raises ValueError: it is not JSON, is nested more deeply than Python can read, or has a number
        of more digits than Python reads.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:  # Python's own words name a function of Python
        raise ValueError("it has a number with too many digits") from error


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object.

    :param text: the document.
    :raises ValueError: it is not JSON, or no object.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"it is {type(value).__name__}, not an object")  # noqa: TRY004 - bad data, not a bad argument
    return value
