"""Applications on the Debian base, which reads kubenix modules with an evaluator of its own; by the real Nix, in one evaluation.

The same cases are compared with the real kubenix in tests/nixpkgs/test_kubernetes.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kubernetes_render import CASES, render_text

from nixgen.kubernetes.document import parse_document

pytestmark = pytest.mark.real

_SUPPORT = Path(CASES).parent
_FAILURES = {
    "conflict", "itemWithoutKey", "noPort", "noVolume", "unknownField", "unknownResource", "wrongListItem",
    "wrongType", "wrongVersion",
}  # fmt: skip


@pytest.fixture(scope="module")
def cases() -> Any:
    return render_text(f"import {CASES}", {})


def items(cases: Any, name: str) -> list[dict[str, Any]]:
    return list(cases[name]["resources"]["items"])


def container(cases: Any, name: str) -> dict[str, Any]:
    (deployment,) = items(cases, name)
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_just_what_is_wrong_fails(cases: Any) -> None:
    assert {name for name, document in cases.items() if document is None} == _FAILURES


def test_every_document_is_one(cases: Any) -> None:
    for name, document in cases.items():
        if document is not None:
            assert parse_document(document, name).name == name


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("environmentBySet", [("A", "a"), ("B", "b")]),
        ("environmentByList", [("B", "b"), ("A", "a")]),
        ("environmentLaidOver", [("B", "b"), ("A", "c"), ("C", "added")]),
        ("environmentReplaced", [("B", "b")]),
        ("listReplaced", [("B", "b")]),
        ("nameIsAnother", [("B", "b")]),
        ("keyWithAProperty", [("A", "a")]),
        ("emptyLists", []),
    ],
)
def test_lists_by_key_merge_as_kubenixs(
    cases: Any, case: str, expected: list[tuple[str, str]]
) -> None:
    found = container(cases, case)["env"]
    assert [(each["name"], each["value"]) for each in found] == expected


def test_order_is_that_of_a_list_or_of_keys(cases: Any) -> None:
    (deployment,) = items(cases, "orderOfContainers")
    setup = deployment["spec"]["template"]["spec"]["initContainers"]
    assert [each["name"] for each in setup] == ["setup-2", "setup-10", "setup-1"]
    (service,) = items(cases, "portsWithoutNames")
    assert service["spec"]["ports"] == [
        {"port": 80, "protocol": "TCP"},
        {"port": 53, "protocol": "UDP", "targetPort": 5353},
    ]


def test_names_and_namespaces_have_defaults(cases: Any) -> None:
    found = {
        (each["kind"], each["metadata"]["name"]): each["metadata"].get("namespace")
        for each in items(cases, "namespaceIsADefault")
    }
    assert found == {
        ("Namespace", "shop"): None,
        ("Service", "api"): "shop",
        ("Service", "other"): "elsewhere",
    }
    (service,) = items(cases, "metadataIsKept")
    assert service["metadata"] == {
        "name": "other",
        "labels": {"app.kubernetes.io/name": "api"},
        "annotations": {"a": "b"},
    }


def test_resources_come_in_an_order_in_which_they_can_be_applied(cases: Any) -> None:
    document = cases["orderOfResources"]
    assert [(each["kind"], each["metadata"]["name"]) for each in document["resources"]["items"]] == [
        ("Namespace", "a"),
        ("Namespace", "z"),
        ("PersistentVolumeClaim", "z"),
        ("Service", "a"),
        ("Service", "b"),
        ("Deployment", "api"),
    ]  # fmt: skip
    assert [(group["name"], group["needs"], len(group["objects"])) for group in document["groups"]] == [
        ("namespaces", [], 2),
        ("objects", ["namespaces"], 4),
    ]  # fmt: skip
    assert cases["nothing"]["groups"] == []


def test_kinds_that_nobody_ordered_come_last(tmp_path: Path) -> None:
    """The order is the same on both bases; real kubenix renders any kind, and this base only its own."""
    file = tmp_path / "order.nix"
    file.write_text(f"""
      (import {_SUPPORT.parents[1]}/nix/lib/kubernetes {{ runCommand = throw "not asked for"; writeText = name: text: throw "not asked for"; }} {{
        name = "x";
        version = "1.34";
        namespace = null;
        objects = map (kind: {{
          inherit kind;
          apiVersion = "v1";
          metadata = {{ name = "a"; labels."kubenix/hash" = "x"; }};
        }}) [ "Certificate" "Deployment" "CustomResourceDefinition" "Ingress" "Secret" "Namespace" ];
      }}).document
    """)
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", file], capture_output=True, check=True
    )
    document = parse_document(json.loads(done.stdout), "x")
    assert [each["kind"] for each in document.resources] == [
        "Namespace", "CustomResourceDefinition", "Secret", "Deployment", "Ingress", "Certificate",
    ]  # fmt: skip
    assert [(group.name, group.needs) for group in document.groups] == [
        ("namespaces", ()),
        ("definitions", ("namespaces",)),
        ("objects", ("namespaces", "definitions")),
    ]
    assert all("labels" not in each["metadata"] for each in document.resources)


@pytest.mark.parametrize(
    ("module", "fragments"),
    [
        (
            "{ kubernetes.resources.ingresses.a.spec = { }; }",
            ('application "a"', "`kubernetes.resources.ingresses.a.spec` is not known", "known here: deployments", 'base = "nixpkgs"'),
        ),
        ("{ kubernetes.resources.deployment.a = { }; }", ("did you mean `kubernetes.resources.deployments`",)),
        (
            '{ kubernetes.resources.deployments.a.spec = { selector = { }; template.spec.containers.a.imagee = "x"; }; }',
            ("did you mean `kubernetes.resources.deployments.a.spec.template.spec.containers.a.image`", "module.nix:1"),
        ),
        ('{ kubernetes.resources.services.a.spec.ports.http.port = "80"; }', ('ports.http.port` must be an integer, and is "80"',)),
        ("{ kubernetes.resources.services.a.spec.ports.http = { port = 80; targetPort = true; }; }", ("an integer or a string, and is true",)),
        ('{ kubernetes.resources.services.a.spec.ports.http.protocol = "TCP"; }', ("ports.http` needs `port`",)),
        ("{ kubernetes.resources.services.a.spec.ports = [ { port = 80; } ]; }", ("ports` has an item without `name`",)),
        ("{ kubernetes.resources.services.a.spec.ports = 80; }", ("must be a set, and is 80",)),
        ("{ kubernetes.resources.deployments.a.spec.replicas = 1; }", ("spec` needs `selector`, `template`",)),
        ('{ kubernetes.version = "1.0"; }', ("must be one of 1.19,", '1.36, and is "1.0"')),
        ("{ kubenix, ... }: { imports = [ kubenix.modules.helm ]; }", ('application "a"', "kubenix.modules.k8s, and not kubenix.modules.helm")),
        ("{ k8s, ... }: { }", ("the argument `k8s`", "known here: config, kubenix, lib, name, pkgs")),
        ("{ options = { }; }", ("declares options of its own",)),
    ],
)  # fmt: skip
def test_what_is_outside_of_the_subset_is_named(
    tmp_path: Path, module: str, fragments: tuple[str, ...]
) -> None:
    (tmp_path / "module.nix").write_text(module)
    done = subprocess.run(
        [
            "nix-instantiate", "--eval", "--strict",
            "--arg", "lib", f"import {_SUPPORT.parents[1]}/nix/lib",
            "--arg", "pkgs", 'throw "no packages"',
            "--expr", f"""
              {{ lib, pkgs }}:
              (import {_SUPPORT.parents[1]}/nix/bases/debian/kubernetes {{ inherit lib pkgs; }} {{
                name = "a";
                modules = [ {tmp_path}/module.nix ];
              }}).document
            """,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    for fragment in fragments:
        assert fragment in done.stderr
