"""nixos-options.json, and the lists of options that it is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nixgen.errors import InputError, LockError
from nixgen.options.listing import documented_options, options_of_tree
from nixgen.options.stub import Declaration, Provenance, Stub

DECLARATIONS = [
    Declaration(path=("services", "web", "enable"), type="boolean"),
    Declaration(path=("services", "web", "sites"), type="attribute set of (submodule)"),
    Declaration(path=("services", "web", "sites", "<name>", "root"), type="path"),
    Declaration(path=("services", "web", "sites", "<name>"), freeform="attribute set of (string)"),
    Declaration(path=("swap",), type="list of (submodule)"),
    Declaration(path=("swap", "*", "size"), type="signed integer"),
    Declaration(path=("a.b", "c"), type="boolean", read_only=True),
    Declaration(path=("old",), type="boolean", renamed="services.web.enable"),
    Declaration(path=("gone",), type="unspecified value", removed="it was old"),
]
PROVENANCE = Provenance(release="24.11", pin="sha256-x", modules={"modules/a.nix": "0" * 64})


@pytest.fixture
def stub() -> Stub:
    return Stub.of(DECLARATIONS, PROVENANCE)


def test_a_document_is_read_as_it_was_written(stub: Stub, tmp_path: Path) -> None:
    path = tmp_path / "nixos-options.json"
    path.write_text(stub.text())
    assert Stub.read(path) == stub
    assert path.read_text().startswith('{\n "schema": "nixgen/options/1",\n')
    assert list(stub.options()) == [
        (("a.b", "c"), "boolean"),
        (("old",), "boolean"),
        (("services", "web", "enable"), "boolean"),
        (("services", "web", "sites"), "attribute set of (submodule)"),
        (("services", "web", "sites", "<name>", "root"), "path"),
        (("swap",), "list of (submodule)"),
        (("swap", "*", "size"), "signed integer"),
    ]


def test_the_order_of_the_declarations_makes_no_difference(stub: Stub) -> None:
    assert Stub.of(reversed(DECLARATIONS), PROVENANCE).text() == stub.text()


def test_a_new_type_changes_no_other_line(stub: Stub) -> None:
    more = Stub.of([*DECLARATIONS, Declaration(path=("new",), type="null or path")], PROVENANCE)
    before, after = stub.text().splitlines(), more.text().splitlines()
    assert len(set(after) - set(before)) <= 4  # the type, the option, their count, and a comma
    assert len(set(before) - set(after)) == 1  # the count


def test_long_sets_have_a_line_for_each_member() -> None:
    many = [
        Declaration(path=("services", f"s{n}", name), type="boolean")
        for n in range(30)
        for name in ("enable", "debug")
    ]
    lines = Stub.of(many, Provenance()).text().splitlines()
    assert '   "s7": {"debug":71637,"enable":71637},' in lines
    assert max(map(len, lines)) < 400


def test_nodes(stub: Stub) -> None:
    root = stub.root
    assert sorted(root.names()) == ["a.b", "gone", "old", "services", "swap"]
    web = root.child("services").child("web")  # type: ignore[union-attr]
    assert web is not None
    assert web.is_set
    sites = web.child("sites")
    assert sites is not None
    assert sites.type is not None
    assert sites.child("<name>") is None
    member = sites.member()
    assert member is not None
    assert (member.is_set, list(member.names())) == (True, ["root"])
    assert member.freeform is not None
    assert member.freeform.words == "attribute set of (string)"
    swap = root.child("swap")
    assert swap is not None
    assert swap.child("*") is None
    assert swap.item().child("size").type.words == "signed integer"  # type: ignore[union-attr]
    assert root.child("old").renamed == "services.web.enable"  # type: ignore[union-attr]
    assert root.child("gone").removed == "it was old"  # type: ignore[union-attr]
    assert root.child("a.b").child("c").read_only  # type: ignore[union-attr]


def _document(**fields: Any) -> str:
    document = json.loads(Stub.of(DECLARATIONS, PROVENANCE).text())
    return json.dumps({**document, **fields})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not JSON: it is list, not an object"),
        ('{"schema": "nixgen/options/9"}', "found 'nixgen/options/9'"),
        ('{"schema": "nixgen/options/1"}', "members are wrong"),
        (_document(source={"x": 1}), "$.source.x"),
        (_document(readOnly=None), "$.readOnly"),
        (_document(options=[]), "$.options"),
    ],
)
def test_the_error_for_a_wrong_file_has_a_hint(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "nixos-options.json"
    path.write_text(text)
    with pytest.raises(LockError, match=r"nixos-options\.json") as caught:
        Stub.read(path)
    assert said in caught.value.message
    assert "nixgen inputs options" in str(caught.value.hint)


def test_a_number_without_a_type_is_refused(tmp_path: Path, stub: Stub) -> None:
    path = tmp_path / "nixos-options.json"
    document = json.loads(stub.text())
    document["types"] = {}
    path.write_text(json.dumps(document))
    read = Stub.read(path)
    assert read is not None
    with pytest.raises(LockError, match="has no type"):
        list(read.options())


def test_a_value_that_is_no_option_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nixos-options.json"
    path.write_text(_document(options={"services": {"web": "boolean"}}))
    read = Stub.read(path)
    assert read is not None
    with pytest.raises(LockError, match=r"neither a type nor a set at services\.web"):
        read.root.child("services").child("web")  # type: ignore[union-attr]


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert Stub.read(tmp_path / "nixos-options.json") is None


# where the options come from


def test_options_of_a_tree_are_read() -> None:
    found = options_of_tree(
        {
            "release": "20.09",
            "options": [
                {"path": ["a"], "type": "boolean", "readOnly": True},
                {"path": ["b"], "type": "path", "alias": "Alias of <option>c.d</option>."},
                {"path": ["e"], "type": "path", "alias": "Alias of {option}`c.d`."},
                {"path": ["f"], "type": "string", "alias": "Name of this."},
                {"path": ["g", "h"], "type": "unspecified", "removed": True},
                {"path": ["i"], "type": "unspecified", "removed": True},
            ],
            "freeform": [{"path": ["s", "<name>"], "type": "attribute set of string"}],
            "reasons": [
                "The option definition `g.h' in  no longer has any effect; please remove it.\nUse\n  a.\n",
                "something else",
            ],
        }
    )
    assert list(found) == [
        Declaration(path=("a",), type="boolean", read_only=True),
        Declaration(path=("b",), type="path", renamed="c.d"),
        Declaration(path=("e",), type="path", renamed="c.d"),
        Declaration(path=("f",), type="string"),
        Declaration(path=("g", "h"), type="unspecified", removed="Use a."),
        Declaration(path=("i",), type="unspecified", removed=""),
        Declaration(path=("s", "<name>"), freeform="attribute set of string"),
    ]


def entry(path: str, words: str, **fields: Any) -> dict[str, Any]:
    return {"loc": path.split("."), "type": words, "description": "…", **fields}


OLD = [
    entry("a.list", "list of submodules"),
    entry("a.list.*.x", "boolean"),
    entry("a.set", "attribute set of submodules"),
    entry("a.set.<name>.x.y", "boolean", readOnly=True),
    entry("a.one", "submodule"),
    entry("a.one.x", "boolean"),
    entry("_module.args", "lazy attribute set of raw value"),
]


@pytest.mark.parametrize("as_list", [True, False])
def test_options_of_a_documentation_are_read(tmp_path: Path, *, as_list: bool) -> None:
    path = tmp_path / "options.json"
    path.write_text(json.dumps(OLD if as_list else {".".join(o["loc"]): o for o in OLD}))
    found = documented_options(path)
    assert [item.path for item in found if item.type] == [
        ("a", "list"),
        ("a", "list", "*", "x"),
        ("a", "set"),
        ("a", "set", "<name>", "x", "y"),
        ("a", "one"),
        ("a", "one", "x"),
    ]
    # until 22.05 nothing tells which submodules are open, so none is closed
    assert {item.path for item in found if item.freeform} == {
        ("a", "list", "*"),
        ("a", "set", "<name>"),
        ("a", "one"),
    }
    assert [item.path for item in found if item.read_only] == [("a", "set", "<name>", "x", "y")]


def test_a_newer_documentation_tells_which_submodules_are_open(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_text(
        json.dumps(
            [*OLD, entry("o", "open submodule of attribute set of string"), entry("o.x", "path")]
        )
    )
    assert not any(item.freeform for item in documented_options(path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("options.json", "", "is not JSON"),
        ("options.json.br", "\x0b\x02", "brotli -d"),
        ("options.json", "[]", "lists no options"),
        ("options.json", "3", "is no list of NixOS options"),
        ("options.json", '{"a": {"b": 1}}', "is no list of NixOS options"),
        ("options.json", '{"schema": "nixgen/options/1"}', "is no list of NixOS options"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        documented_options(path)
    assert said in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(InputError, match="cannot read"):
        documented_options(tmp_path / "missing.json")
