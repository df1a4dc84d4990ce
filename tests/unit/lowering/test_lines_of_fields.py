"""Every text of every model has a type of a line, and lowering writes it by that type.

Fields are found by reflection over the golden kitchen sink, in which every field of every model occurs. Each text gets a
mark; whatever lowering makes of marked text is recorded. So a new field that reaches a line of a file without a declared
type fails here with its name, and nothing has to be added to this test.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest

from nixgen.documents.inputs import Inputs
from nixgen.lowering import lower
from nixgen.models import (
    ConfigFile,
    Ec2,
    Machine,
    NixModule,
    Overlay,
    Package,
    Project,
    Property,
    Source,
    Text,
    check,
    walk,
)
from nixgen.models import Environment as ModelOfEnvironment
from nixgen.models.core import Model
from nixgen.models.fields import LINES
from nixgen.models.lines import Line, PlainText
from nixgen.models.rules.visit import visit_of
from nixgen.project.load import load_project
from nixgen.render import render

_SINK = Path(__file__).parents[2] / "golden/cases/kitchen-sink"

NO_LINES = {
    (ConfigFile, "content"): "the whole text of a file of its own",
    (ConfigFile, "name"): "the end of a store path",
    (Ec2, "key_pair"): "an argument of an API",
    (ModelOfEnvironment, "options"): "a NixOS option that the user names",
    (Machine, "options"): "a NixOS option that the user names",
    (NixModule, "path"): "a path of Nix",
    (Overlay, "options"): "a NixOS option that the user names",
    (Package, "name"): "an attribute of Nix",
    (Property, "value"): "a NixOS option that the user names",
    (Source, "exclude"): "a regular expression of Nix",
    (Source, "include"): "a regular expression of Nix",
    (Source, "name"): "the end of a store path",
    (Source, "path"): "a path of Nix",
    (Text, "parts"): "a piece of a ConfigFile",
}
"""Fields whose text stands in a machine's files, but in no line of a format that nixgen knows, and the reason."""

_Place = tuple[Any, ...]


def _classes(base: type) -> Iterator[type]:
    for each in base.__subclasses__():
        if each.__module__.startswith("nixgen."):
            yield from _classes(each)
            yield each


_TEXT = re.compile(r"\b(str|Word|Text|Any)\b")


@pytest.mark.parametrize("model", sorted(set(_classes(Model)), key=lambda each: each.__name__))
def test_every_field_of_text_declares_its_line(model: type) -> None:
    missing = [
        f"{model.__name__}.{field.name}"
        for field in attrs.fields(model)
        if field.init and _TEXT.search(str(field.type)) and not field.metadata[LINES]
    ]
    assert missing == [], (
        "give the field a class of nixgen/models/lines.py: field(UnitText), or lines=(…) beside its "
        "check; PlainText when its text stands in no line"
    )


def _texts(value: Any, place: _Place = ()) -> Iterator[_Place]:
    """The places of texts in a value; that of a key of a dict ends with None."""
    if isinstance(value, str):
        yield place
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))
    elif isinstance(value, dict):
        # a name that has changed leads to no value any more
        for key, item in value.items():
            yield from _texts(item, (*place, key))
        for key in value:
            if isinstance(key, str):
                yield (*place, key, None)


def _changed(value: Any, place: _Place, change: Callable[[str], str]) -> Any:
    if not place:
        return change(value)
    first, *rest = place
    if isinstance(value, dict):
        if rest == [None]:
            return {change(key) if key == first else key: item for key, item in value.items()}
        return {**value, first: _changed(value[first], tuple(rest), change)}
    return (*value[:first], _changed(value[first], tuple(rest), change), *value[first + 1 :])


# no mark comes twice: lowering keeps what it has made of a text
_NUMBERS = count()
_Mark = tuple[Model, "attrs.Attribute[Any]", str]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The kitchen sink, whose values may be changed. Those that several projects share are as before afterwards."""
    shutil.copy(_SINK / "case.py", tmp_path / "infra.py")
    project = load_project(tmp_path)
    before = [
        (model, field.name, getattr(model, field.name))
        for _, model in walk(project)
        for field in attrs.fields(type(model))
    ]
    yield project
    for model, name, value in before:
        object.__setattr__(model, name, value)
    visit_of.cache_clear()


def _marked(project: Project) -> list[_Mark]:
    """Put a mark into every text that takes one: letters and digits at either end."""
    marks = list[_Mark]()
    for _, model in list(walk(project)):
        for field in attrs.fields(type(model)):
            value = getattr(model, field.name) if field.init else None
            for place in _texts(value):
                before = getattr(model, field.name)
                number = next(_NUMBERS)
                for pattern in ("{text}zq{n}z", "{text}ZQ{n}Z", "zq{n}z{text}", "/zq{n}z{text}"):

                    def change(text: str, pattern: str = pattern, number: int = number) -> str:
                        return pattern.format(text=text, n=number)

                    after = _changed(before, place, change)
                    object.__setattr__(model, field.name, after)
                    visit_of.cache_clear()
                    if not check(project):
                        marks.append((model, field, f"zq{number}z"))
                        break
                    object.__setattr__(model, field.name, before)
    visit_of.cache_clear()
    return marks


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[type[Line], str]]:
    """The types by which texts are written, while the fixture lasts."""
    found = list[tuple[type[Line], str]]()
    whole = Line.__new__

    def record(kind: type[Line], text: str) -> Line:
        found.append((kind, text))
        return whole(kind, text)

    monkeypatch.setattr(Line, "__new__", record)
    return found


def _faults(
    project: Project, marks: list[_Mark], recorded: list[tuple[type[Line], str]]
) -> list[str]:
    """What is wrong between the types that fields declare and those that lowering uses."""
    tree, _ = render(lower(project, inputs=Inputs.read(_SINK / "flake-inputs.json")))
    files = "\n".join(
        data.decode()
        for path, data in tree.items()
        if path.startswith(("machines/", "environments/", "builders"))
        and "/kubernetes/" not in path
    ).lower()
    used: dict[str, set[type[Line]]] = {}
    for kind, text in recorded:
        for mark in re.findall(r"zq\d+z", text.lower()):
            used.setdefault(mark, set()).add(kind)
    faults = []
    for model, field, mark in marks:
        name = f"{type(model).__name__}.{field.name}"
        declared: tuple[type[Line], ...] = field.metadata[LINES]
        kinds = used.get(mark, set())
        faults += [
            f"{name} is written as {kind.__name__}, and declares only "
            f"{[each.__name__ for each in declared]}: field({kind.__name__})"
            for kind in kinds
            if not any(issubclass(each, kind) or issubclass(kind, each) for each in declared)
        ]
        if mark in files and not kinds and (type(model), field.name) not in NO_LINES:
            faults.append(
                f"{name} reaches a file of a machine without a type: declare a class of "
                "nixgen/models/lines.py, and hand it to a writer of nixgen/lowering/written.py"
            )
    return sorted(set(faults))


def test_lowering_writes_each_text_by_the_type_that_its_field_declares(
    project: Project, recorded: list[tuple[type[Line], str]]
) -> None:
    marks = _marked(project)
    assert len(marks) > 150
    faults = _faults(project, marks, recorded)
    assert not faults, "\n".join(faults)
    reached = {(type(model), field.name) for model, field, _ in marks}
    assert set(NO_LINES) <= reached, "the reason names a field that has no text any more"


def test_a_field_that_declares_another_type_is_named(
    project: Project, recorded: list[tuple[type[Line], str]]
) -> None:
    marks = _marked(project)
    forgetful = [
        (model, field.evolve(metadata={**field.metadata, LINES: (PlainText,)}), mark)
        if field.name == "description"
        else (model, field, mark)
        for model, field, mark in marks
    ]
    found = _faults(project, forgetful, recorded)
    assert any(each.startswith("Service.description is written as UnitText") for each in found)
    assert any(each.startswith("User.description is written as AccountText") for each in found)


# These modules make what NixOS, or nix/bases/debian, puts into lines.
_OF_MACHINES = ("cluster", "disk", "hardening", "network", "systemd", "users")


@cache
def _parsed(module: str) -> ast.Module:
    folder = Path(lower.__code__.co_filename).parent
    return ast.parse((folder / f"{module}.py").read_text())


@pytest.mark.parametrize("module", _OF_MACHINES)
def test_the_modules_of_machines_make_strings_by_writers_alone(module: str) -> None:
    makers = {"Str", "quote", "strings", "string", "Interpolation"}
    found = [
        f"{module}.py:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(_parsed(module))
        if isinstance(node, (ast.Attribute, ast.Name))
        and (node.attr if isinstance(node, ast.Attribute) else node.id) in makers
    ]
    assert found == [], (
        "hand a type of nixgen/models/lines.py to a writer of nixgen/lowering/written.py"
    )
