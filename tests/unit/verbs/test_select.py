"""Verbs for images and for tests refuse other targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nixgen.errors import UsageError
from nixgen.project.workspace import Workspace
from nixgen.verbs.select import select_images, select_tests

INFRA = """\
from nixgen import Image, Machine, Project, Service, Test
web = Service("web", command=["/bin/true"])
machine = Machine("web", services=[web])
project = Project(
    "p",
    machines=[machine],
    images=[Image("web", service=web), Image("api", service=web)],
    tests=[Test("up", machines=[machine], script="pass")],
)
"""
EMPTY = 'from nixgen import Project\nproject = Project("p")\n'

Select = Callable[[Workspace, Sequence[str]], tuple[str, ...]]


def opened(folder: Path, text: str = INFRA) -> Workspace:
    (folder / "infra.py").write_text(text)
    return Workspace.open(folder)


@pytest.mark.parametrize(
    ("select", "targets", "chosen"),
    [
        (select_images, (), ("images.web", "images.api")),
        (select_images, ("images.api",), ("images.api",)),
        (select_tests, (), ("tests.up",)),
        (select_tests, ("tests",), ("tests.up",)),
    ],
)
def test_all_of_a_kind_are_chosen_when_none_is_named(
    tmp_path: Path, select: Select, targets: Sequence[str], chosen: tuple[str, ...]
) -> None:
    assert select(opened(tmp_path), targets) == chosen


@pytest.mark.parametrize(
    ("select", "message"),
    [(select_images, "machines.web is not an image"), (select_tests, "machines.web is not a test")],
)
def test_another_kind_is_refused(tmp_path: Path, select: Select, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select(opened(tmp_path), ["machines"])


@pytest.mark.parametrize(
    ("select", "message", "hint"),
    [
        (select_images, "the project has no images", "add Image(…) to Project(images=[…])"),
        (select_tests, "the project has no tests", "add Test(…) to Project(tests=[…])"),
    ],
)
def test_a_project_without_the_kind_is_told_how_to_add_one(
    tmp_path: Path, select: Select, message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        select(opened(tmp_path, EMPTY), ())
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("select", "target", "meant"),
    [
        (Workspace.select, "webb", "machines.web"),
        (Workspace.select, "web", "machines.web"),
        (Workspace.select, "machines.webb", "machines.web"),
        (Workspace.select, "apii", "images.api"),
        (Workspace.select, "machine", "machines"),
        (select_images, "webb", "images.web"),
        (select_images, "images.wep", "images.web"),
        (select_tests, "upp", "tests.up"),
    ],
)
def test_an_unknown_target_is_answered_with_the_closest_one(
    tmp_path: Path, select: Select, target: str, meant: str
) -> None:
    with pytest.raises(UsageError, match=f"the project has no target '{target}'") as caught:
        select(opened(tmp_path), [target])
    assert caught.value.hint == f"did you mean {meant}?"


def test_a_target_like_no_other_is_answered_with_the_verb_that_lists_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        select_tests(opened(tmp_path), ["machines.web7"])
    assert caught.value.hint == "`nixgen list` names them"
