"""What is rendered is valid: by the schemas of the API server itself, of the version that an application is written for."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from kubernetes_projects import projects
from kubernetes_render import render_projects

from nixgen.models import Project
from nixgen.project.load import load_project

kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is not installed; pip install 'nixgen[test]'"
)
pytestmark = pytest.mark.real

_REPOSITORY = Path(__file__).parents[2]
#: the oldest that kubernetes-validate has schemas of
_OLDEST = (1, 25)


def _validate(documents: dict[str, Any]) -> int:
    """How many resources there were to look at."""
    looked_at = 0
    for document in documents.values():
        if tuple(map(int, document["version"].split("."))) < _OLDEST:
            continue
        for resource in document["resources"]["items"]:
            kubernetes_validate.validate(resource, document["version"], strict=True)
            looked_at += 1
    return looked_at


@pytest.mark.parametrize(
    "file", ["tests/golden/cases/kitchen-sink/case.py", "examples/shop/infra.py"]
)
def test_projects(file: str, tmp_path: Path) -> None:
    text = (_REPOSITORY / file).read_text().replace('modules=[NixModule("cluster/ingress.nix")],', "")  # fmt: skip
    (tmp_path / "infra.py").write_text(text)
    (documents,) = render_projects([load_project(tmp_path)], {})
    assert _validate(documents) >= 5


@pytest.mark.slow
def test_any_application() -> None:
    samples: list[Project] = []

    @settings(max_examples=60, phases=[Phase.generate])
    @given(projects())
    def collect(project: Project) -> None:
        samples.append(project)

    collect()
    assert sum(map(_validate, render_projects(samples, {}))) > 50


def test_it_can_fail(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text((_REPOSITORY / "examples/shop/infra.py").read_text())
    (documents,) = render_projects([load_project(tmp_path)], {})
    wrong = copy.deepcopy(documents)
    deployment = wrong["shop"]["resources"]["items"][-1]
    deployment["spec"]["template"]["spec"]["hostNetwrk"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="hostNetwrk"):
        _validate(wrong)
