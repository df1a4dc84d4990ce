"""Every problem is reported, at once, with its model path and the line it was written on."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from nixgen.errors import ModelError
from nixgen.models import Image, Machine, Port, Project, Service, check, require_valid
from nixgen.project.load import load_project

RUN = ("/bin/true",)


def test_all_problems_are_reported_at_once_with_their_own_lines() -> None:
    first = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    port = Port(0)
    bad = Service("BAD", command=RUN, ports=[port])
    machine = Machine("m", services=[bad], memory=0)
    with pytest.raises(ModelError) as caught:
        require_valid(Project("p", machines=[machine]))
    lines = {
        problem.path: int((problem.where or "").rpartition(":")[2]) - first
        for problem in caught.value.problems
    }
    assert lines == {
        "machines.m.memory": 2,
        "machines.m.services.BAD.name": 1,
        "machines.m.services.BAD.ports[0].number": 0,
    }
    assert caught.value.exit_status == 2


def test_a_shared_value_is_reported_once() -> None:
    bad = Service("api", command=RUN, ports=[Port(0)])
    project = Project(
        "p", machines=[Machine("m", services=[bad])], images=[Image("i", service=bad)]
    )
    assert len(check(project)) == 1


def test_loading_also_reports_models_that_the_project_does_not_refer_to(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(
        "from nixgen import Machine, Project, Service\n"
        "unused = Service('a', comand=['/bin/true'])\n"
        "project = Project('p', machines=[Machine('m', servces=[])])\n"
    )
    for _ in range(2):  # nothing is left of the run before
        with pytest.raises(ModelError) as caught:
            load_project(tmp_path)
        assert [(found.path, found.where) for found in caught.value.problems] == [
            ("machines.m.servces", "infra.py:3"),
            ("Service.comand", "infra.py:2"),
        ]
