"""kubernetes.json (docs/contracts.md §10): an application's resources, as either base renders them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from nixgen.errors import InputError

__all__ = ["SCHEMA", "Document", "Group", "Reference", "parse_document", "read_document"]

SCHEMA = "nixgen/kubernetes/1"
_KEYS = {"schema", "name", "version", "namespace", "groups", "resources"}


@frozen(kw_only=True, order=True)
class Reference:
    """Which resource is meant."""

    api_version: str
    kind: str
    namespace: str | None
    name: str

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Reference:
        metadata = resource["metadata"]
        return cls(
            api_version=resource["apiVersion"],
            kind=resource["kind"],
            namespace=metadata.get("namespace"),
            name=metadata["name"],
        )

    def __str__(self) -> str:
        """As kubectl spells it, ``deployment/api``, with its namespace."""
        within = f"{self.namespace}/" if self.namespace else ""
        return f"{within}{self.kind.lower()}/{self.name}"


@frozen(kw_only=True)
class Group:
    """Resources that may be applied at the same time.

    :param needs: names of groups that have to be there before; they come earlier in the document.
    """

    name: str
    needs: tuple[str, ...]
    resources: tuple[Reference, ...]


@frozen(kw_only=True)
class Document:
    """A rendered application.

    :param version: of Kubernetes, such as 1.34.
    :param namespace: where resources are that name none; None leaves it to whoever applies them.
    :param resources: in an order in which they can be applied; each belongs to one of the groups.
    :param value: the document itself.
    """

    name: str
    version: str
    namespace: str | None
    groups: tuple[Group, ...]
    resources: tuple[Mapping[str, Any], ...] = field(hash=False)
    value: Mapping[str, Any] = field(hash=False, repr=False)


def read_document(path: Path) -> Document:
    """:raises InputError: the file is no kubernetes.json."""
    try:
        return parse_document(json.loads(path.read_bytes()), str(path))
    except ValueError as error:
        raise _wrong(str(path), f"it is not JSON: {error}") from error


def parse_document(value: Any, place: str) -> Document:
    """:param place: what is read, for the message.
    :raises InputError: it is no nixgen/kubernetes/1.
    """
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else value
        raise _wrong(place, f"its schema is {found!r}, not {SCHEMA}")
    try:
        if set(value) != _KEYS:
            raise _wrong(place, f"its keys are {', '.join(sorted(value))}")
        document = Document(
            name=_text(value["name"]),
            version=_text(value["version"]),
            namespace=value["namespace"]
            if value["namespace"] is None
            else _text(value["namespace"]),
            groups=tuple(map(_group, value["groups"])),
            resources=tuple(value["resources"]["items"]),
            value=value,
        )
        grouped = [reference for group in document.groups for reference in group.resources]
        if grouped != list(map(Reference.of, document.resources)):
            raise _wrong(place, "its groups are not its resources in order")
    except (LookupError, TypeError, AttributeError) as error:
        raise _wrong(place, f"{type(error).__name__}: {error}") from error
    return document


def _group(value: Mapping[str, Any]) -> Group:
    return Group(
        name=_text(value["name"]),
        needs=tuple(map(_text, value["needs"])),
        resources=tuple(_references(value["objects"])),
    )


def _references(values: list[Mapping[str, Any]]) -> Iterator[Reference]:
    for value in values:
        yield Reference(
            api_version=_text(value["apiVersion"]),
            kind=_text(value["kind"]),
            namespace=value["namespace"],
            name=_text(value["name"]),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _wrong(place: str, why: str) -> InputError:
    return InputError(
        f"{place} is no rendered application: {why}",
        hint="write the generated tree again with this version of nixgen: nixgen generate",
    )
