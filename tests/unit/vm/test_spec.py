"""vm.json: the example of docs/contracts.md §5 is read, and all faults are named at once."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from nixgen.errors import EvaluationError
from nixgen.vm.spec import TestSpec, python_name

FIXTURE: dict[str, Any] = {
    "schema": "nixgen/vm/1",
    "name": "smoke",
    "system": "x86_64-linux",
    "testScript": "start_all()\n",
    "nodes": [
        {
            "name": name,
            "memory": 512,
            "cores": 1,
            "diskSize": 1024,
            "vlans": [1],
            "addresses": {"1": address},
            "kernel": "/nix/store/k/vmlinuz",
            "initrd": "/nix/store/i/initrd",
            "cmdline": "console=ttyS0",
            "toplevel": f"/nix/store/m-{name}",
        }
        for name, address in (("web", "192.168.1.2"), ("api", "192.168.1.1"))
    ],
    "closure": [
        {
            "path": "/nix/store/a",
            "narHash": "sha256:x",
            "narSize": 1,
            "references": ["/nix/store/b"],
        }
    ],
}


def document(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(FIXTURE), **changes}


def test_the_contract_s_document_reads(tmp_path: Path) -> None:
    (tmp_path / "vm.json").write_text(json.dumps(FIXTURE))
    spec = TestSpec.from_file(tmp_path)
    assert spec.origin == tmp_path / "vm.json"
    assert spec.name == "smoke"
    assert [(node.name, node.number, node.addresses) for node in spec.nodes] == [
        ("api", 1, {"1": "192.168.1.1"}),
        ("web", 2, {"1": "192.168.1.2"}),
    ]
    assert spec.closure[0].references == ("/nix/store/b",)


def test_all_faults_are_named_at_once() -> None:
    broken = document(testScript=None)
    broken["nodes"][0]["memory"] = "512"
    broken["nodes"][1]["vlans"] = [0]
    broken["closure"][0]["path"] = "relative"
    with pytest.raises(EvaluationError) as caught:
        TestSpec.from_json(broken)
    text = "\n".join(caught.value.details)
    assert text.splitlines() == [
        "$.testScript: expected a string, found null",
        '$.nodes[0].memory: expected a whole number, found "512"',
        "$.nodes[1].vlans[0]: expected a whole number from 1 to 254, found 0",
        '$.closure[0].path: expected an absolute path, found "relative"',
    ]


def test_only_the_nodes_of_one_name_are_named() -> None:
    twins = document()
    twins["nodes"] = [
        {**twins["nodes"][0], "name": name} for name in ("z", "a-b", "b", "a.b", "a_b")
    ]
    with pytest.raises(EvaluationError) as caught:
        TestSpec.from_json(twins)
    assert str(caught.value).endswith(
        "$.nodes: 'a-b' and 'a.b' and 'a_b' are the same name in the test script: a_b"
    )


@pytest.mark.parametrize("names", [("web", "web"), ("a-b", "a_b")])
def test_nodes_that_share_a_name_in_the_script_are_refused(names: tuple[str, str]) -> None:
    twins = document()
    for node, name in zip(twins["nodes"], names, strict=True):
        node["name"] = name
    with pytest.raises(EvaluationError, match="same name in the test script"):
        TestSpec.from_json(twins)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({}, "at least one node"),
        ({"addresses": {}}, r"nodes\[0\].addresses: has no address for vlan 1"),
        ({"addresses": {"1": "192.168.1"}}, r"nodes\[0\].addresses\[?.*1.*: expected an IPv4"),
        ({"cores": 0}, r"nodes\[0\].cores: expected a whole number of at least 1"),
    ],
)
def test_nodes_that_cannot_boot_are_refused(nodes: dict[str, Any], message: str) -> None:
    wrong = document(nodes=[{**FIXTURE["nodes"][0], **nodes}] if nodes else [])
    with pytest.raises(EvaluationError, match=message):
        TestSpec.from_json(wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("[]", "it is list, not an object"),
        ('{"schema": "nixgen/vm/2"}', "reads 'nixgen/vm/1', found 'nixgen/vm/2'"),
    ],
)
def test_an_unreadable_document_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "vm.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(EvaluationError, match=message):
        TestSpec.from_file(file)


@pytest.mark.parametrize(
    ("origin", "name"), [(None, "vm.json"), (Path("/build/a.json"), "/build/a.json")]
)
def test_an_error_names_the_document(origin: Path | None, name: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        TestSpec.from_json(document(nodes=[]), origin=origin)
    assert caught.value.message.startswith(name)
    assert TestSpec.from_json(document(), origin=origin).origin == origin


def test_names_in_the_script() -> None:
    assert [python_name(name) for name in ("web", "api-1", "1st", "ä")] == [
        "web",
        "api_1",
        "_st",
        "_",
    ]
