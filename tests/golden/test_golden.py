"""Each folder of cases/ is a project (case.py, with flake-inputs.json if it has pins) and the tree it must generate (expected/).

``pytest tests/golden --regenerate`` rewrites expected/; review the difference with git.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import rfc166

from nixgen.documents.inputs import Inputs
from nixgen.lowering import lower
from nixgen.models import walk
from nixgen.models.core import Model
from nixgen.project.load import load_project
from nixgen.render import render

CASES = Path(__file__).parent / "cases"


def generated(case: Path, tmp_path: Path) -> dict[str, bytes]:
    shutil.copy(case / "case.py", tmp_path / "infra.py")
    pins = case / "flake-inputs.json"
    inputs = Inputs.read(pins) if pins.exists() else None
    tree, _ = render(lower(load_project(tmp_path), inputs=inputs))
    # the library is the repository's own nix/, and is tested as such
    return {path: data for path, data in tree.items() if not path.startswith("lib/")}


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_generates_what_is_expected(
    case: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tree = generated(case, tmp_path)
    expected = case / "expected"
    if request.config.getoption("--regenerate"):
        shutil.rmtree(expected, ignore_errors=True)
        for path, data in tree.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_bytes(data)
    present = {
        file.relative_to(expected).as_posix(): file.read_text()
        for file in expected.rglob("*")
        if file.is_file()
    }
    actual = {path: data.decode() for path, data in tree.items()}
    assert sorted(present) == sorted(actual), (
        "orphaned or missing files; run pytest tests/golden --regenerate"
    )
    for path, text in actual.items():
        assert text == present[path], (
            f"{path} differs; run pytest tests/golden --regenerate, and review"
        )


def test_the_kitchen_sink_uses_every_field_of_every_model(tmp_path: Path) -> None:
    shutil.copy(CASES / "kitchen-sink/case.py", tmp_path / "infra.py")
    used = {
        (type(value), field.name)
        for _, value in walk(load_project(tmp_path))
        for field in attrs.fields(type(value))
        if getattr(value, field.name) != default_of(field, value)
    }
    unused = [
        f"{model.__name__}.{field.name}"
        for model in model_classes(Model)
        for field in attrs.fields(model)
        if field.name not in PROVENANCE and (model, field.name) not in used
    ]
    assert unused == [], "give the field a value in cases/kitchen-sink/case.py, and regenerate"


PROVENANCE = {"origin"}
"""Fields that say where a value was made; nobody gives them."""


def model_classes(base: type) -> Iterator[type]:
    """The classes of nixgen's models that have no subclasses, and so can be written down."""
    below = [each for each in base.__subclasses__() if each.__module__.startswith("nixgen.")]
    for each in below:
        yield from model_classes(each)
    if not below:
        yield base


def default_of(field: attrs.Attribute[Any], value: Model) -> Any:
    """What a field holds when nobody gave it; a value like no other for a field without a default."""
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        return field.default.factory(value) if field.default.takes_self else field.default.factory()
    return object() if field.default is attrs.NOTHING else field.default


@rfc166.WANTED
def test_every_expected_file_has_the_form_of_rfc_166(tmp_path: Path) -> None:
    files = sorted(CASES.rglob("*.nix"))
    formed = rfc166.formatted([file.read_text() for file in files], tmp_path / "formed")
    for file, text in zip(files, formed, strict=True):
        assert file.read_text() == text, file


@pytest.mark.real
def test_every_expected_file_parses() -> None:
    files = sorted(map(str, CASES.rglob("*.nix")))
    assert files
    done = subprocess.run(
        ["nix-instantiate", "--parse", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
