"""The JSON Schemas of the files that people write, and what is wrong with a file in words.

``KIND-VERSION.json`` describes the documents of the schema ``nixgen/KIND/VERSION``. What a value must be is its
``description``, written to stand after "must be".
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
    """Everything that is wrong with a document, in the order of its lines: where, and what.

    :param name: of the schema, such as ``inputs-1``.
    """
    found: dict[JsonPath, str] = {}
    for path in text.repeated:
        found[path] = "is there twice"
    for error in _validator(name).iter_errors(text.document):
        for path, message in _said(error):
            found.setdefault(path, message)
    return sorted(
        found.items(), key=lambda fault: (text.line(fault[0]), fault[0] and str(fault[0]))
    )


@cache
def _validator(name: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # costs a tenth of a second

    return Draft202012Validator(
        json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    )


def _said(error: Any) -> Iterator[tuple[JsonPath, str]]:
    """A `jsonschema.ValidationError` in words."""
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
            yield path, f"must be {_shown(error.validator_value)}, not {_shown(error.instance)}"
        case "enum":
            choices = ", ".join(error.validator_value)
            yield path, f"must be one of {choices}, not {_shown(error.instance)}"
        case _ if "propertyNames" in error.absolute_schema_path:
            yield (*path, error.instance), f"must be {schema['description']}"
        case _:
            what = schema.get("description", schema.get("type", "something else"))
            yield path, f"must be {what}, not {_shown(error.instance)}"


def _shown(value: Any) -> str:
    text = _PASSWORD.sub("://…@", json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else f"{text[:57]}…"
