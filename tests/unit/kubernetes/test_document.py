"""kubernetes.json: documents of Nix are read, and all others refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from nixgen.errors import InputError
from nixgen.kubernetes.document import Group, Reference, parse_document, read_document

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api", "namespace": "shop"},
    "spec": {},
}
DOCUMENT: dict[str, Any] = {
    "schema": "nixgen/kubernetes/1",
    "name": "shop",
    "version": "1.34",
    "namespace": "shop",
    "groups": [
        {
            "name": "namespaces",
            "needs": [],
            "objects": [
                {"apiVersion": "v1", "kind": "Namespace", "name": "shop", "namespace": None}
            ],
        },
        {
            "name": "objects",
            "needs": ["namespaces"],
            "objects": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api", "namespace": "shop"}
            ],
        },
    ],
    "resources": {"apiVersion": "v1", "kind": "List", "items": [NAMESPACE, DEPLOYMENT]},
}


def test_a_document_of_nix_is_read(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps(DOCUMENT))
    found = read_document(tmp_path / "k.json")
    assert (found.name, found.version, found.namespace) == ("shop", "1.34", "shop")
    assert found.resources == (NAMESPACE, DEPLOYMENT)
    deployment = Reference(api_version="apps/v1", kind="Deployment", namespace="shop", name="api")
    assert found.groups[1] == Group(name="objects", needs=("namespaces",), resources=(deployment,))
    assert str(deployment) == "shop/deployment/api"
    assert str(Reference.of(NAMESPACE)) == "namespace/shop"


def changed(**fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DOCUMENT), **fields}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "found None"),
        ({}, "found None"),
        (changed(schema="nixgen/kubernetes/2"), "nixgen/kubernetes/2"),
        (changed(more=1), r"\$\.more: is not a member"),
        (changed(version=1), r"\$\.version: expected a string, found 1"),
        (changed(namespace=1), r"\$\.namespace: expected a string, found 1"),
        (changed(groups=[{"name": "a", "needs": []}]), r"\$\.groups\[0\]\.objects: is missing"),
        (changed(groups=None), r"\$\.groups: expected an array, found null"),
        (changed(resources=[]), r"\$\.resources: expected an object"),
        (
            changed(resources={"apiVersion": "v1", "kind": "List", "items": [{}]}),
            r"\$\.resources\.items\[0\]: expected a resource with",
        ),
        (changed(groups=[]), "its groups are not its resources in order"),
        (changed(groups=DOCUMENT["groups"][::-1]), "its groups are not its resources in order"),
    ],
)
def test_any_other_document_is_refused_with_its_place_and_a_remedy(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_document(value, "kubernetes.shop")
    assert caught.value.message.startswith("kubernetes.shop: $")
    assert "nixgen generate" in (caught.value.hint or "")


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match="is not JSON"):
        read_document(tmp_path / "k.json")
