"""The real kubenix says of every application what the Debian base says, to the byte."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from kubernetes_projects import ENVIRONMENT, projects
from kubernetes_render import CASES, KUBENIX, render_projects, render_text

from nixgen.models import Project
from nixgen.models.kubernetes import KUBERNETES_VERSIONS
from nixgen.project.load import load_project

pytestmark = [
    pytest.mark.real,
    pytest.mark.nixpkgs,
    pytest.mark.skipif(
        "NIXGEN_KUBENIX" not in os.environ,
        reason="NIXGEN_KUBENIX does not name a checkout of kubenix",
    ),
]

_REPOSITORY = Path(__file__).parents[2]
_SUBSET = json.loads(
    (_REPOSITORY / "nix/bases/debian/kubernetes/subset.json").read_text(encoding="utf-8")
)


def test_cases_of_merging() -> None:
    ours, theirs = (render_text(f"import {CASES}", trees) for trees in ({}, KUBENIX))
    assert ours.keys() == theirs.keys()
    for name, document in theirs.items():
        assert ours[name] == document, name


@pytest.mark.parametrize("environment", [None, "prod", "staging"])
@pytest.mark.parametrize(
    "folder", ["tests/golden/cases/kitchen-sink", "examples/shop"], ids=lambda path: Path(path).name
)
def test_projects(folder: str, environment: str | None, tmp_path: Path) -> None:
    """Every field of the models, and the example, in every environment."""
    source = _REPOSITORY / folder
    script = source / ("infra.py" if (source / "infra.py").exists() else "case.py")
    # what its own modules say is the project's business
    text = script.read_text().replace('modules=[NixModule("cluster/ingress.nix")],', "")
    (tmp_path / "infra.py").write_text(text)
    project = load_project(tmp_path)
    ours, theirs = (
        render_projects([project], trees, environment=environment) for trees in ({}, KUBENIX)
    )
    assert ours == theirs
    (documents,) = theirs
    assert documents
    assert all(document["resources"]["items"] for document in documents.values())


@pytest.mark.slow
def test_any_application() -> None:
    samples: list[Project] = []

    @settings(max_examples=60, phases=[Phase.generate])
    @given(projects())
    def collect(project: Project) -> None:
        samples.append(project)

    collect()
    for environment in (None, ENVIRONMENT):
        ours, theirs = (
            render_projects(samples, trees, environment=environment) for trees in ({}, KUBENIX)
        )
        for index, (left, right) in enumerate(zip(ours, theirs, strict=True)):
            assert left == right, samples[index]
            assert None not in left.values(), samples[index]


def test_versions() -> None:
    done = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", f"{KUBENIX['kubenix']}/versions.nix", "-A", "versions"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == list(KUBERNETES_VERSIONS)


class _Types:
    """Kubenix's types of one version, out of the file that its generator wrote: name → field → type, and kind → name."""

    _STRUCTURE = re.compile(
        r'\n    "(io\.k8s[^"]+)" = \{\n\n      options = \{(.*?)\n      \};\n', re.DOTALL
    )
    _FIELD = re.compile(
        r'\n        "([^"]+)" = mkOption \{.*?\n          type = (.*?);\n', re.DOTALL
    )
    _RESOURCE = re.compile(
        r'\n      "([A-Za-z]+)" = mkOption \{\n[^\n]*\n        type = \(types\.attrsOf \(submoduleForDefinition '
        r'"([^"]+)" "[^"]*" "([^"]+)" "([^"]+)" "([^"]+)"\)\);'
    )

    def __init__(self, version: str) -> None:
        text = (Path(KUBENIX["kubenix"]) / f"modules/generated/v{version}.nix").read_text()
        self.structures = {
            name: dict(self._FIELD.findall(body)) for name, body in self._STRUCTURE.findall(text)
        }
        self.resources = {
            plural: (name, kind, version if group == "core" else f"{group}/{version}")
            for plural, name, kind, group, version in self._RESOURCE.findall(text)
        }

    def notation(self, type_: str) -> tuple[str, str | None]:
        """As subset.json would have it, and the structure that is meant, if any."""
        plain = type_.replace("(", " ").replace(")", " ").split()
        required = "types.nullOr" not in plain
        words = [word for word in plain if word != "types.nullOr"]
        structure = next((word.strip('"') for word in words if word.startswith('"io.k8s')), None)
        match words:
            case ["types.either", "types.int", "types.str"]:
                said = "integer or string"
            case [scalar]:
                said = _SCALARS[scalar]
            case ["types.listOf", scalar]:
                said = f"[{_SCALARS[scalar]}]"
            case ["types.attrsOf", scalar]:
                said = f"{{{_SCALARS[scalar]}}}"
            case ["submoduleOf", _]:
                said = "@"
            case ["types.listOf", "submoduleOf", _]:
                said = "[@]"
            case ["coerceAttrsOfSubmodulesToListByKey", _, key, "[", *others, "]"]:
                said = f"@ by {key}{' else ' if others else ''}{' '.join(others)}".replace('"', "")
            case _:
                raise AssertionError(type_)
        return said + ("!" if required else ""), structure


_SCALARS = {"types.str": "string", "types.int": "integer", "types.bool": "boolean"}


def _differences(version: str) -> Iterator[str]:
    types = _Types(version)
    seen: set[tuple[str, str]] = set()

    def compare(ours: str, theirs: str) -> Iterator[str]:
        if (ours, theirs) in seen:
            return
        seen.add((ours, theirs))
        for field, notation in _SUBSET["types"][ours].items():
            if field not in types.structures[theirs]:
                yield f"{ours}.{field} is not there"
                continue
            said, structure = types.notation(types.structures[theirs][field])
            inner = re.search(r"[A-Z][A-Za-z]+", notation)
            if inner is not None and structure is not None:
                if notation.replace(inner[0], "@", 1) != said:
                    yield f"{ours}.{field} is {said}, not {notation}"
                yield from compare(inner[0], structure)
            elif notation != said:
                yield f"{ours}.{field} is {said}, not {notation}"

    for plural, row in _SUBSET["resources"].items():
        name, kind, api_version = types.resources[plural]
        if (kind, api_version) != (row["kind"], row["apiVersion"]):
            yield f"{plural} is {api_version} {kind}"
        yield from compare(kind, name)


#: Where old versions say otherwise; what nixgen emits is good for them, too.
_OLD = {"ProjectedVolumeSource.sources"}


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_the_subset_has_kubenixs_types(version: str) -> None:
    assert not [each for each in _differences(version) if each.partition(" ")[0] not in _OLD]


def test_the_command_line_gives_the_same_on_both_bases(example: Any) -> None:
    nixgen = example("shop")
    inputs = json.loads((_REPOSITORY / "flake-inputs.json").read_text())
    (nixgen.folder / "flake-inputs.json").write_text(json.dumps(inputs))
    trees = [
        word for name, tree in KUBENIX.items() for word in ("--override-input", f"{name}={tree}")
    ]
    ours = nixgen("k8s", "render", "--env", "staging")
    theirs = nixgen("k8s", "render", "--env", "staging", "--base", "nixpkgs", *trees)
    assert ours.stdout == theirs.stdout
    assert "value: staging" in ours.stdout
    assert not (nixgen.folder / "debian.lock.json").exists()
