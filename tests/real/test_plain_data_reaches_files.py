"""No text of a user becomes a line, a field, a prefix or a specifier: of any field of any model, in any file of a machine.

The fields are found by reflection over the golden kitchen sink, in which every field of every model occurs, so a new field
takes part by itself. Each text gets a hostile end. Either the models refuse it, or Nix evaluates the machine's files, and
what programs read out of them (systemd_reader, passwd(5), sh) must be the text, byte for byte, at the same place as a
harmless end.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import CHANGES, MARK, harmless, hostile, places, put, unmarked
from systemd_reader import logical_lines, split, unescaped, without_specifiers

from nixgen.documents.inputs import Inputs
from nixgen.lowering import lower
from nixgen.models import Package, Project, Source, walk
from nixgen.models.rules.check import check
from nixgen.models.rules.visit import visit_of
from nixgen.project.load import load_project
from nixgen.render import render

pytestmark = pytest.mark.real

_SINK = Path(__file__).parent.parent / "golden/cases/kitchen-sink"

# These name what must exist: a file of the project, a package of the lock.
_NAMES_OF_THINGS = {(Source, "path"), (Package, "name"), (Package, "main")}


@pytest.fixture(scope="module")
def lock(example) -> dict[str, Any]:
    """A lock in which every package of the sink is bash: no file of a machine depends on what is in one."""
    nixgen = example("hello")
    nixgen("inputs", "update", "debian")
    locked = json.loads((nixgen.folder / "debian.lock.json").read_text())
    names = {
        package.name for _, package in walk(_project(nixgen.folder)) if isinstance(package, Package)
    }
    for architecture in locked["architectures"].values():
        for name in names:
            architecture["roots"].setdefault(name, ["bash"])
    # one machine of the sink is of another architecture
    (only,) = locked["architectures"].values()
    locked["architectures"] = dict.fromkeys(["amd64", "arm64"], only)
    return locked


def _project(folder: Path) -> Project:
    """The sink, without what only the nixpkgs base has."""
    shutil.copy(_SINK / "case.py", folder / "infra.py")
    project = load_project(folder)
    for machine in project.machines:
        put(machine, "modules", ())
        put(machine, "options", {})
    for _, model in walk(project):
        if isinstance(model, Source):
            (folder / model.path).mkdir(parents=True, exist_ok=True)
    return project


def _prepared(
    folder: Path, end: Callable[[int, str], str], only: frozenset[int] | None
) -> tuple[Project, frozenset[int]]:
    """The sink with the texts changed that the models accept so.

    :param end: number of a text, and the text → what it becomes.
    :param only: places to change; None for every place where a change is accepted.
    :return: the project, and the places that were changed.
    """
    project = _project(folder)
    changed = set[int]()
    for place in places(project):
        if (type(place.model), place.field) in _NAMES_OF_THINGS:
            continue
        if only is not None and place.number not in only:
            continue
        undo = place.change(lambda text, number=place.number: end(number, text))
        visit_of.cache_clear()
        if check(project):
            undo()
        else:
            changed.add(place.number)
    visit_of.cache_clear()
    return project, frozenset(changed)


def _files(folder: Path, lock: dict[str, Any], project: Project) -> dict[str, dict[str, str]]:
    """Machine → path below /etc → its text, or the target of a link."""
    tree, _ = render(lower(project, inputs=Inputs.read(_SINK / "flake-inputs.json")))
    for path, data in tree.items():
        (folder / "generated" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "generated" / path).write_bytes(data)
    (folder / "debian.lock.json").write_text(json.dumps(lock))
    expression = """
      builtins.mapAttrs (_: machine: builtins.mapAttrs (_: file: file.text or file.link or "") machine.files)
        (import ./generated { }).machines
    """
    argv = ["nix-instantiate", "--eval", "--strict", "--json", "--expr", expression]
    done = subprocess.run(argv, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return dict(json.loads(done.stdout))


def _read(path: str, text: str) -> list[list[str]]:
    """What the program that reads a file takes out of it: for each entry its parts.

    Hashes of store paths are left out: what is in a store path differs, too.
    """
    text = re.sub(r"/nix/store/[a-z0-9]{32}-", "/nix/store/", text)
    name = path.rpartition("/")[2]
    if path.startswith("systemd/system/") and name.endswith(".service"):
        return [_setting(line) for line in logical_lines(text)]
    if path in {"passwd", "group", "shadow"}:
        return [line.split(":") for line in text.split("\n")]
    if path == "profile":
        return [shlex.split(text)]
    if path.startswith("sysctl.d/"):
        return [[part.strip(" \t") for part in line.split("=", 1)] for line in text.split("\n")]
    if path.startswith("tmpfiles.d/"):
        return [_rule(line) for line in text.split("\n") if line]
    if path in {"hosts", "resolv.conf", "nixgen/network"}:
        return [line.split() for line in text.split("\n")]
    return [text.split("\n")]


def _setting(line: str) -> list[str]:
    """A line of a unit file, and what its value is made of."""
    name, equals, value = line.partition("=")
    if not equals:
        return [line]
    if name.startswith("Exec"):
        words = split(value)
        assert words[0].startswith("/"), f"{line!r}: no path comes first"
        return [name, *words]
    if name in {"Description", "WorkingDirectory", "LoadCredential"}:
        return [name, without_specifiers(value.strip(" \t"))]
    return [name, *split(value, variables=False)]


def _rule(line: str) -> list[str]:
    """A line of tmpfiles.d(5): six words, and an argument that goes on to the end of the line."""
    *first, argument = _fields(line.strip(" \t"))
    read = [split(word, variables=False, escapes=False)[0] for word in first]
    plain = without_specifiers(argument)
    # no quotes here, and in some types escapes
    return [*read, unescaped(plain) if read[0][0] in "fwLC" else plain]


def _fields(line: str) -> list[str]:
    """The first six words of a line as they are written, and the rest."""
    fields = []
    for _ in range(6):
        word = re.match(r'(?:"(?:[^"\\]|\\.)*"|[^ \t"]+)', line)
        fields.append(word[0] if word else "-")
        line = line[word.end() :].lstrip(" \t") if word else ""
    return [*fields, line]


# Each text meets one end of these in a turn, and all of them in as many turns; a run of the suite takes every sixth turn.
_TURNS = range(0, len(CHANGES), 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 6)


@pytest.mark.parametrize("turn", _TURNS)
def test_hostile_text_is_refused_or_comes_out_as_it_was(
    turn: int, lock: dict[str, Any], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    def change(number: int) -> tuple[str, str]:
        return CHANGES[(number + turn) % len(CHANGES)]

    def wild(number: int, text: str) -> str:
        return hostile(change(number))(text)

    def tame(number: int, text: str) -> str:
        return harmless(change(number), number)(text)

    def wanted(text: str) -> str:
        return unmarked(text, lambda number: "".join(change(number)))

    _, accepted = _prepared(tmp_path, wild, None)
    project, accepted = _prepared(tmp_path, tame, accepted)
    names = {str(place.number): place.name for place in places(project)}
    expected = _files(tmp_path, lock, project)
    project, again = _prepared(tmp_path, wild, accepted)
    assert again == accepted
    found = _files(tmp_path, lock, project)
    for machine, files in expected.items():
        assert sorted(map(wanted, files)) == sorted(found[wanted(machine)])
        for path, text in files.items():
            entries = [[wanted(part) for part in entry] for entry in _read(path, text)]
            assert _read(wanted(path), found[wanted(machine)][wanted(path)]) == entries, path
    marks = {mark for files in expected.values() for mark in MARK.findall(str(files))}
    record_property("readers", json.dumps({names[mark]: ["reader of files"] for mark in marks}))
