"""Reads kubernetes.json (docs/contracts.md §10): the resources of an application, rendered by a base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from attrs import evolve, field, frozen

from nixgen.errors import InputError
from nixgen.records.document import parse_object
from nixgen.records.format import Format
from nixgen.records.rules import ABSENT, Rule, named

__all__ = ["Document", "Group", "Reference", "parse_document", "read_document"]


def _is_resource(value: Mapping[str, Any]) -> bool:
    metadata = value.get("metadata")
    return (
        isinstance(value.get("apiVersion"), str)
        and isinstance(value.get("kind"), str)
        and isinstance(metadata, dict)
        and isinstance(metadata.get("name"), str)
        and isinstance(metadata.get("namespace", ""), str)
    )


_Resource = Annotated[
    Mapping[str, Any], Rule(_is_resource, "a resource with apiVersion, kind and metadata.name")
]


@frozen(kw_only=True, order=True)
class Reference:
    """The identity of a resource in a cluster.

    :param api_version: such as ``apps/v1``.
    :param kind: such as ``Deployment``.
    :param namespace: None for a resource that names none.
    :param name: unique for its kind and namespace.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Reference:
        """The identity of a manifest.

        :param resource: with ``apiVersion``, ``kind`` and ``metadata``.
        """
        metadata = resource["metadata"]
        return cls(
            api_version=resource["apiVersion"],
            kind=resource["kind"],
            namespace=metadata.get("namespace"),
            name=metadata["name"],
        )

    def __str__(self) -> str:
        """As kubectl spells it, ``deployment/api``, after its namespace: ``shop/deployment/api``."""
        within = f"{self.namespace}/" if self.namespace else ""
        return f"{within}{self.kind.lower()}/{self.name}"


@frozen(kw_only=True)
class Group:
    """Resources that may be applied at the same time.

    :param name: unique in the document.
    :param needs: names of groups that must be applied before; they come earlier in the document.
    :param resources: the group's members.
    """

    name: str
    needs: tuple[str, ...]
    resources: tuple[Reference, ...] = field(metadata=named("objects"))


@frozen(kw_only=True)
class _List:
    """The member ``resources``: a Kubernetes List."""

    api_version: str
    kind: str
    items: tuple[_Resource, ...] = field(hash=False)


@frozen(kw_only=True)
class Document:
    """A rendered application.

    :param name: of the application.
    :param version: of Kubernetes, such as 1.34.
    :param namespace: of resources that name none; None leaves it to the command that applies them.
    :param groups: in the order in which they are applied.
    :param listed: the List of all resources.
    :param value: the document itself.
    """

    name: str
    version: str
    namespace: str | None
    groups: tuple[Group, ...]
    listed: _List = field(metadata=named("resources"))
    value: Mapping[str, Any] = field(default={}, hash=False, repr=False, metadata=ABSENT)

    @property
    def resources(self) -> tuple[Mapping[str, Any], ...]:
        """In an order in which they can be applied; each belongs to one of the groups."""
        return self.listed.items


def _check(document: Document) -> Iterator[tuple[str, str]]:
    grouped = [reference for group in document.groups for reference in group.resources]
    if grouped != list(map(Reference.of, document.resources)):
        yield "$.groups", "its groups are not its resources in order"


_KUBERNETES = Format(
    schema="nixgen/kubernetes/1",
    shape=Document,
    error=InputError,
    hint="write the generated tree again with this version of nixgen: nixgen generate",
    check=_check,
)


def read_document(path: Path) -> Document:
    """Read a kubernetes.json.

    :param path: the file.
    :raises InputError: it is unreadable, not JSON, or no nixgen/kubernetes/1; names each place.
    """
    try:
        value = parse_object(_KUBERNETES.bytes_of(path))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", hint=_KUBERNETES.hint) from error
    return parse_document(value, str(path))


def parse_document(value: Any, place: str) -> Document:
    """Check a document that Nix evaluated.

    :param value: as `json.loads` returns it.
    :param place: its name in errors.
    :raises InputError: it is no nixgen/kubernetes/1; names each place.
    """
    return evolve(_KUBERNETES.structure(value, source=place), value=value)
