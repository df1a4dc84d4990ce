"""Find the place of a part of the models in the descriptor that they were read from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nixgen.documents.jsontext import JsonPath

__all__ = ["json_path", "member_name"]

_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]")
#: Field of a model → member of the document, where the names differ.
_RENAMED = {"port": "from", "last": "to"}


def json_path(document: Mapping[str, Any], model_path: str) -> JsonPath:
    """The place in a descriptor of a part of the models.

    Example: ``machines.worker-0.ec2.storage[1].mount_point`` →
    ``workers[0].storage[1].mountPoint``.

    :param document: the descriptor.
    :param model_path: the path in the models.
    """
    steps = [match[1] or int(match[2]) for match in _STEP.finditer(model_path)]
    seat = _seat(document, str(steps[1]))
    entry: Mapping[str, Any] = document[seat[0]][seat[1]]
    match steps[2:]:
        case ["ec2", "subnet", field]:
            return _shared(document, "subnets", entry["subnet"], [field]) or (*seat, "subnet")
        case ["ec2", "security_groups", int(index), *rest]:
            name = entry["securityGroups"][index]
            return _shared(document, "securityGroups", name, rest) or seat
        case ["ids", str(member)]:
            return (*_seat(document, member), "id")
        case ["ec2", *rest] | rest:
            return (*seat, *_members(rest))


def _seat(document: Mapping[str, Any], name: str) -> tuple[str, int]:
    return next(
        (kind, index)
        for kind in ("masters", "workers")
        for index, machine in enumerate(document.get(kind, ()))
        if machine["name"] == name
    )


def _shared(
    document: Mapping[str, Any], kind: str, name: str, rest: list[str | int]
) -> JsonPath | None:
    """The place in a subnet or group that machines share; None if the document has only its id."""
    for index, entry in enumerate(document.get(kind, ())):
        if entry["id"] == name:
            return (kind, index, *_members(rest))
    return None


def _members(steps: list[str | int]) -> JsonPath:
    return tuple(member_name(step) if isinstance(step, str) else step for step in steps)


def member_name(field: str) -> str:
    """Return the member of the document that holds a field of a model.

    :param field: the name of the field.
    """
    first, *words = _RENAMED.get(field, field).split("_")
    return first + "".join(word.capitalize() for word in words)
