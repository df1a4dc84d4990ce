"""image.json is read strictly: every fault names its place."""

from __future__ import annotations

import copy
import json

import pytest

from nixgen.errors import InputError
from nixgen.oci.plan.spec import parse_spec, read_spec

A = "/nix/store/0000000000000000000000000000000a-glibc"
B = "/nix/store/0000000000000000000000000000000b-api-1.0"
R = "/nix/store/0000000000000000000000000000000c-api-root"


def entry(path, *references):
    return {"path": path, "narHash": "sha256:0", "narSize": 10, "references": [*references]}


DOCUMENT = {
    "schema": "nixgen/image/1",
    "name": "api",
    "tag": "latest",
    "architecture": "amd64",
    "os": "linux",
    "config": {"Entrypoint": [f"{B}/bin/api"], "Env": ["PORT=8080"]},
    "root": R,
    "closure": [entry(R, B), entry(B, A, B), entry(A)],
}


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    *parents, last = path
    target = document
    for key in parents:
        target = target[key]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return json.dumps(document)


def test_the_document_of_the_contract_is_read():
    spec = parse_spec(json.dumps(DOCUMENT), source="image.json")
    assert spec.ref == "api:latest"
    assert [item.path for item in spec.closure] == [A, B, R]
    assert spec.closure[1].references == (A,)  # a path's reference to itself says nothing
    assert spec.root_entry.path == R


def test_root_is_left_out_of_the_layers():
    spec = parse_spec(json.dumps(DOCUMENT), source="image.json")
    assert [item.path for item in spec.layered] == [A, B]


def test_root_stays_when_the_config_names_it():
    spec = parse_spec(changed(["config"], {"Env": [f"WEB={R}/srv"]}), source="image.json")
    assert [item.path for item in spec.layered] == [A, B, R]


def test_root_stays_when_a_path_refers_to_it():
    text = changed(["closure"], [entry(R), entry(B, R), entry(A)])
    assert R in [item.path for item in parse_spec(text, source="x").layered]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["schema"], "nixgen/image/2", "$.schema"),
        (["tag"], None, "$.tag: is missing"),
        (["surprise"], 1, "$.surprise"),
        (["name"], "API!", "$.name"),
        (["tag"], "a b", "$.tag"),
        (["root"], "/etc", "$.root"),
        (["root"], "/nix/store/00000000000000000000000000000000-else", "$.root"),
        (["config"], [], "$.config"),
        (["config", "Cmd"], ["/nix/store/00000000000000000000000000000000-else/bin/x"], "$.config"),
        (["closure"], {}, "$.closure"),
        (["closure", 1, "narSize"], -1, "$.closure[1].narSize"),
        (["closure", 1, "narSize"], True, "$.closure[1].narSize"),
        (["closure", 1, "references"], [7], "$.closure[1].references[0]"),
        (["closure"], [entry(R), entry(B, A)], "which is not in it"),
        (["closure"], [entry(R), entry(B), entry(B)], "twice"),
    ],
)
def test_a_fault_names_its_place(path, value, said):
    with pytest.raises(InputError) as caught:
        parse_spec(changed(path, value), source="image.json")
    assert said in caught.value.message
    assert "image.json" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_document_that_is_no_object_is_refused(text):
    with pytest.raises(InputError):
        parse_spec(text, source="image.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.json"):
        read_spec(tmp_path / "nothing.json")
