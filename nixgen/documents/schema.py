"""Validate the files that people write against JSON Schemas, and describe each fault in words.

``KIND-VERSION.json`` describes the documents of the schema ``nixgen/KIND/VERSION``. The
``description`` of each value in it is written to stand after "must be" in a message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nixgen.documents.jsontext import JsonPath, JsonText
from nixgen.errors import closest

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

__all__ = ["faults"]

_PASSWORD = re.compile(r"://[^/@\s]*@")


def faults(name: str, text: JsonText) -> list[tuple[JsonPath, str]]:
    """The path and the message of every fault of a document, in the order of its lines.

    :param name: the name of the schema, such as ``inputs-1``.
    :param text: the document to validate.
    """
    messages: dict[JsonPath, str] = dict.fromkeys(text.repeated, "is there twice")
    for error in _validator(name).iter_errors(text.document):
        for path, message in _error_messages(error):
            messages.setdefault(path, message)
    return sorted(
        messages.items(), key=lambda fault: (text.line(fault[0]), fault[0] and str(fault[0]))
    )


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # costs a tenth of a second

    return Draft202012Validator(
        json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    )


def _error_messages(error: Any) -> Iterator[tuple[JsonPath, str]]:
    """The path and the message of each fault that a `jsonschema.ValidationError` reports."""
    path: JsonPath = tuple(error.absolute_path)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, Mapping) else {}
    match error.validator:
        case "required":
            for member in error.validator_value:
                if member not in error.instance:
                    yield (*path, member), "is missing"
        case "additionalProperties":
            known = [*schema.get("properties", ())]
            for member in error.instance:
                if member not in known:
                    hint = closest(member, known) or f"there are {', '.join(sorted(known))}"
                    yield (*path, member), f"is not known; {hint}"
        case "const":
            yield path, f"must be {_excerpt(error.validator_value)}, not {_excerpt(error.instance)}"
        case "enum":
            choices = ", ".join(error.validator_value)
            yield path, f"must be one of {choices}, not {_excerpt(error.instance)}"
        case _ if "propertyNames" in error.absolute_schema_path:
            yield (*path, error.instance), f"must be {schema['description']}"
        case _:
            what = schema.get("description", schema.get("type", "something else"))
            yield path, f"must be {what}, not {_excerpt(error.instance)}"


def _excerpt(value: Any) -> str:
    """A value as JSON for a message: without passwords in URLs, and at most 60 characters long."""
    text = _PASSWORD.sub("://…@", json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:57]}…"
