"""A project and its list of options: the checks, the list they use, and the lines they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nixgen.documents.jsontext import JsonText
from nixgen.documents.schema import faults
from nixgen.errors import EvaluationError, ModelError, UsageError
from nixgen.options.lines import line_of
from nixgen.options.stub import Declaration, Provenance, Stub
from nixgen.programs.command import Completed
from nixgen.project.workspace import Workspace
from nixgen.testing import ScriptedRunner
from nixgen.verbs.options import find, read_tree, state

PIN = "sha256-au/m3+EuBLoSzWUCb64a/MZq6QUtOV8oC0D9tY2scPQ="
INPUTS = {
    "schema": "nixgen/inputs/1",
    "inputs": {
        "nixpkgs": {
            "type": "github",
            "owner": "NixOS",
            "repo": "nixpkgs",
            "rev": "917fec990948658ef1ccd07cef2a1ef060786846",
            "narHash": PIN,
        }
    },
}
DECLARATIONS = [
    Declaration(path=("services", "web", "enable"), type="boolean"),
    Declaration(path=("services", "web", "sites"), type="attribute set of (submodule)"),
    Declaration(path=("services", "web", "sites", "<name>", "port"), type="signed integer"),
    Declaration(path=("services", "http", "enable"), type="boolean", renamed="services.web.enable"),
]
INFRA = """\
from nixgen import Environment, Machine, NixModule, Overlay, Project, mk_force

web = Machine(
    "web",
    options={
        "services.web.enabel": True,
        "services.web.sites": {
            "a.b": {"port": 1},
            "c.d": {
                "port": "2",
            },
        },
    },
)
db = Machine("db", options={"services.web.enable": mk_force(
    "yes",
)})
staging = Environment("staging", options={"services.http.enable": True}, overlays=[
    Overlay(web, options={"services.web": 1}),
])
project = Project("p", machines=[web, db], environments=[staging])
"""


def make(folder: Path, infra: str = INFRA, **provenance: object) -> Path:
    (folder / "infra.py").write_text(infra)
    (folder / "flake-inputs.json").write_text(json.dumps(INPUTS))
    source = Provenance(**{"release": "24.11", "pin": PIN, **provenance})  # type: ignore[arg-type]
    (folder / "nixos-options.json").write_text(Stub.of(DECLARATIONS, source).text())
    return folder


def problems(folder: Path) -> list[tuple[str, str, str | None]]:
    with pytest.raises(ModelError) as caught:
        Workspace.open(folder)
    return [(found.path, found.message, found.where) for found in caught.value.problems]


def test_problems_of_options_name_their_line(tmp_path: Path) -> None:
    assert problems(make(tmp_path)) == [
        (
            "machines.web.options['services.web.enabel']",
            "NixOS 24.11 has no option services.web.enabel",
            "infra.py:6",
        ),
        (
            "machines.web.options['services.web.sites']['c.d']['port']",
            "must be of the type signed integer, not str '2'",
            "infra.py:10",
        ),
        (
            "machines.db.options['services.web.enable']",
            "must be of the type boolean, not str 'yes'",
            "infra.py:15",
        ),
        (
            "environments.staging.overlays[0].options['services.web']",
            "services.web is a set of options, not a single one that could be int 1",
            "infra.py:19",
        ),
    ]


SOUND = """\
from nixgen import Environment, Machine, Project
web = Machine("web", options={"services.http.enable": True})
project = Project("p", machines=[web])
"""


def test_old_names_are_reported_as_notes(tmp_path: Path) -> None:
    [note] = Workspace.open(make(tmp_path, SOUND)).options.notes
    assert note.message == "services.http.enable is an old name of services.web.enable"
    assert note.where == "infra.py:2"


def test_without_a_list_nothing_is_checked(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "nixos-options.json").unlink()
    assert Workspace.open(tmp_path).options.problems == ()
    assert state(Workspace.open(tmp_path)) is None


def test_an_outdated_list_does_not_stop_a_command_that_renews_it(tmp_path: Path) -> None:
    workspace = Workspace.open(make(tmp_path), check_options=False)
    assert len(workspace.options.problems) == 4
    more = [*DECLARATIONS, Declaration(path=("services", "web", "enabel"), type="boolean")]
    assert workspace.options.write(Stub.of(more, Provenance(release="25.05", pin=PIN)))
    assert len(workspace.options.problems) == 3
    assert not workspace.options.write(Stub.of(more, Provenance(release="25.05", pin=PIN)))


def test_problems_have_one_hint_when_the_list_is_of_another_pin(tmp_path: Path) -> None:
    make(tmp_path, pin="sha256-other")
    with pytest.raises(ModelError) as caught:
        Workspace.open(tmp_path)
    assert caught.value.hint == (
        "nixos-options.json may be out of date: nixpkgs is pinned to another revision since; "
        "nixgen inputs options reads it anew"
    )
    # the pins that nixgen ships are another revision, too
    (tmp_path / "flake-inputs.json").unlink()
    with pytest.raises(ModelError) as caught:
        Workspace.open(tmp_path)
    assert "another revision" in (caught.value.hint or "")


MODULES = """\
from nixgen import Environment, Machine, NixModule, Overlay, Project
web = Machine("web", options={"services.mine.enable": True}, modules=[NixModule("mine.nix")])
db = Machine("db", options={"services.mine.enable": True})
one = Environment("one", overlays=[Overlay(web, options={"services.mine.x": 1})])
two = Environment("two", options={"services.mine.x": 1}, overlays=[Overlay(db, options={"services.mine.y": 1})])
project = Project("p", machines=[web, db], environments=[one, two])
"""


def test_unknown_modules_may_declare_any_option(tmp_path: Path) -> None:
    make(tmp_path, MODULES)
    (tmp_path / "mine.nix").write_text("{ }")
    unknown = [path for path, _, _ in problems(tmp_path)]
    assert unknown == [
        "machines.db.options['services.mine.enable']",
        "environments.two.overlays[0].options['services.mine.y']",
    ]
    digests = dict(Workspace.open(tmp_path, check_options=False).options.modules)
    make(tmp_path, MODULES, modules=digests)
    assert len(problems(tmp_path)) == 5
    (tmp_path / "mine.nix").write_text("{ options = { }; }")
    assert [path for path, _, _ in problems(tmp_path)] == unknown


@pytest.mark.parametrize(
    ("provenance", "current", "detail"),
    [
        ({}, True, "NixOS 24.11: 4 options"),
        (
            {"pin": None},
            False,
            "NixOS 24.11: 4 options; it was read from another tree than the pinned one",
        ),
        (
            {"pin": "x", "modules": {"gone.nix": "0"}},
            False,
            "NixOS 24.11: 4 options; nixpkgs is pinned to another revision since; gone.nix is not a module of the project any more",
        ),
        ({"complete": False, "release": None}, None, "4 options, of a documentation"),
    ],
)
def test_the_command_tells_if_the_list_is_outdated(
    tmp_path: Path, *, provenance: dict[str, object], current: bool | None, detail: str
) -> None:
    found = state(Workspace.open(make(tmp_path, SOUND, **provenance)))
    assert found is not None
    assert (found.current, found.detail) == (current, detail)


def test_options_are_found_by_a_word(tmp_path: Path) -> None:
    workspace = Workspace.open(make(tmp_path, SOUND))
    assert [match.option for match in find(workspace, ["WEB", "port"])] == [
        "services.web.sites.<name>.port"
    ]
    assert len(list(find(workspace, []))) == 4
    (tmp_path / "nixos-options.json").unlink()
    with pytest.raises(UsageError, match="has no nixos-options"):
        list(find(Workspace.open(tmp_path), ["web"]))


def test_the_file_has_the_form_of_its_schema(tmp_path: Path) -> None:
    rich = Stub.of(
        [
            *DECLARATIONS,
            Declaration(path=("a",), type="string", read_only=True),
            Declaration(path=("b",), type="string", removed="x"),
            Declaration(path=("services", "web", "sites", "<name>"), freeform="anything"),
        ],
        Provenance(release="24.11", pin=PIN, modules={"a.nix": "0" * 64}),
    )
    assert faults("options-1", JsonText.parse(rich.text())) == []
    for source in (Provenance(complete=False), Provenance()):
        assert faults("options-1", JsonText.parse(Stub.of([], source).text())) == []
    assert faults("options-1", JsonText.parse('{"schema": "nixgen/options/1", "types": {"a": 1}}'))


# reading a tree

FOUND = {
    "release": "24.11",
    "options": [{"path": ["services", "web", "enable"], "type": "boolean"}],
    "freeform": [],
    "reasons": [],
}
ASK = ("nix-instantiate", "--eval", "...")


def test_a_tree_is_evaluated_once(tmp_path: Path) -> None:
    workspace = Workspace.open(make(tmp_path, SOUND))
    runner = ScriptedRunner.of((ASK, Completed(status=0, stdout=json.dumps(FOUND).encode())))
    stub = read_tree(workspace, runner=runner)
    assert stub.provenance == Provenance(release="24.11", pin=PIN)
    words = runner.commands[0].argv
    arguments = json.loads(words[words.index("arguments") + 1])
    assert arguments["inputs"] == str(tmp_path / "flake-inputs.json")
    assert (arguments["overrides"], arguments["modules"]) == ({}, [])
    assert arguments["reasons"] is True


def test_another_tree_is_recorded_without_a_pin(tmp_path: Path) -> None:
    workspace = Workspace.open(make(tmp_path, SOUND))
    runner = ScriptedRunner.of((ASK, Completed(status=0, stdout=json.dumps(FOUND).encode())))
    stub = read_tree(workspace, overrides={"nixpkgs": tmp_path}, runner=runner)
    assert stub.provenance.pin is None


def test_reasons_for_removals_are_optional(tmp_path: Path) -> None:
    workspace = Workspace.open(make(tmp_path, SOUND))
    runner = ScriptedRunner.of(
        (ASK, Completed(status=1, stderr=b"error: an assertion needs more\n")),
        (ASK, Completed(status=0, stdout=json.dumps(FOUND).encode())),
    )
    assert read_tree(workspace, runner=runner).count == 1


def test_a_failed_evaluation_names_the_option_and_the_line(tmp_path: Path) -> None:
    workspace = Workspace.open(make(tmp_path, SOUND))
    trace = (
        "error: attribute 'foo' missing\n\n"
        f"       at {tmp_path}/mine.nix:3:5:\n\n"
        "       … while reading the option services.mine.enable\n"
    ).encode()
    failed = Completed(status=1, stderr=trace)
    runner = ScriptedRunner.of((ASK, failed), (ASK, failed))
    with pytest.raises(EvaluationError) as caught:
        read_tree(workspace, runner=runner)
    assert caught.value.message == "attribute 'foo' missing"
    assert caught.value.where == "mine.nix:3"
    assert caught.value.details == ("while reading the option services.mine.enable",)


def test_a_project_without_a_pin_has_no_list_to_read(tmp_path: Path) -> None:
    make(tmp_path, SOUND)
    (tmp_path / "flake-inputs.json").write_text('{"schema": "nixgen/inputs/1", "inputs": {}}')
    with pytest.raises(UsageError, match="pins no nixpkgs"):
        read_tree(Workspace.open(tmp_path), runner=ScriptedRunner.of())


# lines


def test_lines_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "infra.py"
    file.write_text('f(\n  "a",\n  {"a":\n    {"b":\n 1}})\ng("b")\n')
    assert line_of(f"{file}:1", ["a"]) == f"{file}:2"
    assert line_of(f"{file}:1", ["a", 3, "b"]) == f"{file}:4"
    assert line_of(f"{file}:1", ["a", "c", "b"]) == f"{file}:2"
    assert line_of(f"{file}:1", ["c"]) == f"{file}:1"
    assert line_of(f"{file}:6", ["b"]) == f"{file}:6"
    assert line_of(f"{file}:3", ["a"]) == f"{file}:3"
    assert line_of(f"{tmp_path}/none.py:3", ["a"]) == f"{tmp_path}/none.py:3"
    file.write_text("f(")
    assert line_of(f"{file}:1", ["a"]) == f"{file}:1"
