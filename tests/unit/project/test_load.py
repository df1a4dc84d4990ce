"""Every fault of infra.py is reported with the user's own line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nixgen.errors import InputError, ModelError, ProjectLoadError, UsageError
from nixgen.project.load import load_project
from nixgen.project.workspace import Workspace
from nixgen.verbs.init import project_name, scaffold

GOOD = 'from nixgen import Machine, Project\nproject = Project("p", machines=[Machine("m")])\n'


def load(tmp_path: Path, code: str) -> object:
    (tmp_path / "infra.py").write_text(code)
    return load_project(tmp_path)


@pytest.mark.parametrize(
    ("code", "message", "where"),
    [
        ("x = = 1\n", "invalid syntax", "infra.py:1"),
        ("\n\nraise RuntimeError('boom')\n", "RuntimeError: boom", "infra.py:3"),
        ("import sys\nsys.exit(4)\n", "SystemExit: 4", "infra.py:2"),
        ("import nothing_like_it\n", "ModuleNotFoundError", "infra.py:1"),
        ("x = 1\n", "defines no project", None),
        ("project = 3\n", "is a int, not a Project", "infra.py"),
        (
            "from nixgen import Project\na = Project('a')\nb = Project('b')\n",
            "more than one project",
            None,
        ),
        (
            "from nixgen import Package\nf'{Package(\"x\")}'\n",
            "cannot become a str or part of an f-string",
            "infra.py:2",
        ),
        ("from nixgen import text\ntext('${x}')\n", "no argument 'x'", "infra.py:2"),
        ("from nixgen import Machin\n", "cannot import name", "infra.py:1"),
    ],
)
def test_a_fault_is_reported_with_its_line(
    tmp_path: Path, code: str, message: str, where: str | None
) -> None:
    with pytest.raises(ProjectLoadError) as caught:
        load(tmp_path, code)
    assert message in caught.value.message
    assert caught.value.where == where
    assert caught.value.hint
    assert caught.value.exit_status == 2


def test_a_fault_in_an_imported_module_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "helper_of_shop.py").write_text("def make():\n    return 1 / 0\n")
    with pytest.raises(ProjectLoadError) as caught:
        load(tmp_path, "import helper_of_shop\nhelper_of_shop.make()\n")
    assert caught.value.where == "helper_of_shop.py:2"


def test_a_missing_infra_py_is_reported_with_nixgen_init(tmp_path: Path) -> None:
    with pytest.raises(ProjectLoadError, match=r"no infra\.py") as caught:
        load_project(tmp_path)
    assert "nixgen init" in (caught.value.hint or "")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_bytes(b"# \xff\xfe\n")
    with pytest.raises(ProjectLoadError):
        load_project(tmp_path)


def test_the_only_project_may_have_any_variable_name(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD.replace("project =", "shop =")).name == "p"  # type: ignore[attr-defined]


def test_two_projects_may_have_modules_of_the_same_name(tmp_path: Path) -> None:
    path_before = list(sys.path)
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "names_of_it.py").write_text(f"NAME = {name!r}\n")
        code = (
            "import names_of_it\nfrom nixgen import Project\nproject = Project(names_of_it.NAME)\n"
        )
        assert load(folder, code).name == name  # type: ignore[attr-defined]
    assert sys.path == path_before
    assert "names_of_it" not in sys.modules


def test_places_of_problems_are_relative_to_the_project(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(tmp_path, GOOD.replace('"m"', '"M"'))
    assert caught.value.problems[0].where == "infra.py:2"


def test_a_missing_source_is_a_problem_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(
        "from nixgen import Machine, Project, Service, Source\n"
        's = Service("s", command=["/bin/s", Source("absent")])\n'
        'project = Project("p", machines=[Machine("m", services=[s])])\n'
    )
    with pytest.raises(ModelError) as caught:
        Workspace.open(tmp_path)
    assert [(p.path, p.where) for p in caught.value.problems] == [
        ("machines.m.services.s.command[1]", "infra.py:2")
    ]


def test_a_new_project_loads_and_is_the_example(tmp_path: Path) -> None:
    folder = tmp_path / "My Shop!"
    written = scaffold(folder)
    assert written == (".gitignore", "flake-inputs.json", "infra.py", "site/index.html")
    workspace = Workspace.open(folder)
    assert workspace.project.name == "my-shop"
    example = Path(__file__).parents[3] / "examples/hello"
    ours = (folder / "infra.py").read_text().splitlines()[1:]
    theirs = (example / "infra.py").read_text().replace('"hello"', '"my-shop"').splitlines()[1:]
    assert ours == theirs
    assert (folder / "site/index.html").read_bytes() == (example / "site/index.html").read_bytes()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        scaffold(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["infra.py"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("shop", "shop"), ("My Shop!", "my-shop"), ("9to5", "project-9to5"), ("___", "project")],
)
def test_the_name_of_a_project_is_made_from_its_folder(
    tmp_path: Path, folder: str, name: str
) -> None:
    assert project_name(tmp_path / folder) == name


def test_an_unknown_target_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "infra.py").write_text(GOOD)
    workspace = Workspace.open(tmp_path)
    assert workspace.select(["machines"]) == workspace.select([]) == ("machines.m",)
    assert workspace.select(["images"]) == ()
    with pytest.raises(InputError) as caught:
        workspace.select(["machine.m"])
    assert caught.value.hint == "did you mean machines.m?"
