"""The architecture as a law: which folder may import which, and no circle anywhere.

Read the tables from the top: what a person types, what that does to a project, the project, one
folder for each thing in the world, Nix, programs, and plain values at the end.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "nixgen"

#: Each folder of nixgen/, and what it may import. Everything may raise `nixgen.errors`.
ALLOWED = {
    "cli": "automation verbs project cache oci vm kubernetes driver programs instant"
    " store files records",
    "automation": "kubernetes lowering render records",
    "verbs": "project cache oci vm kubernetes debian driver programs instant"
    " options render documents models store files records",
    "project": "options lowering render documents models gitignore files _collector records",
    "cache": "driver programs instant store files records",
    "oci": "driver programs store files records",
    "vm": "driver programs store files records",
    "kubernetes": "store records",
    "debian": "programs store files records",
    "driver": "programs store files records",
    "programs": "",
    "lowering": "documents models syntax gitignore",
    "options": "documents models files _collector records",
    "documents": "models records",
    "models": "gitignore _collector",
    "render": "syntax files _collector records",
    "syntax": "",
    "gitignore": "",
    "instant": "files",
    "records": "",
    "store": "",
    "files": "",
    "testing": "programs",
}

#: Folders inside folders, from the top: each may import those behind it. `.` is the folder's own files.
INSIDE = {
    "cli": "cache inputs .",
    "verbs": ". inputs",
    "project": ". sources",
    "models": "rules .",
    "documents": "descriptor .",
    "cache": "check collect serve provision push keep bucket format",
    "driver": "build evaluate store tools messages commands",
    "oci": "ship write plan .",
    "vm": "run interface qemu channels record .",
}

#: The only files that lie loose in nixgen/.
LOOSE = {"__init__", "errors", "testing", "_collector"}


@cache
def modules() -> dict[str, Path]:
    """Every module of nixgen, by its dotted name."""
    return {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of nixgen that a module imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nixgen":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules() else str(node.module))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name in modules())
    return frozenset(found - {"nixgen"})


def folders(module: str) -> tuple[str, ...]:
    """``nixgen.cache.push.order`` → ``("cache", "push")``; ``nixgen.errors`` → ``("errors",)``."""
    parts = tuple(module.split(".")[1:])
    if modules()[module].name == "__init__.py":
        return parts
    return parts[:-1] or parts


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The first circle of a graph, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize("module", sorted(modules().keys() - {"nixgen"}))
def test_imports_go_one_way(module: str) -> None:
    here = folders(module)
    for other in imports(module):
        there = folders(other)
        if there[0] in {here[0], "errors"}:
            continue
        assert there[0] in ALLOWED[here[0]].split(), (
            f"{module} imports {other}; {here[0]} may import only: {ALLOWED[here[0]]}"
        )


@pytest.mark.parametrize("folder", sorted(INSIDE))
def test_imports_inside_a_folder_go_one_way(folder: str) -> None:
    order = INSIDE[folder].split()
    inner = {path.name for path in (PACKAGE / folder).iterdir() if (path / "__init__.py").exists()}
    assert inner | {"."} >= set(order) >= inner, f"give each folder of {folder} its place in INSIDE"
    for module in modules():
        here = folders(module) if module != "nixgen" else ("",)
        # the folder's face may show all that is inside
        if here[0] != folder or module == f"nixgen.{folder}":
            continue
        for other in imports(module):
            there = folders(other)
            if there[0] == folder and there[1:2] != here[1:2]:
                up, down = (here[1:2] or (".",))[0], (there[1:2] or (".",))[0]
                assert order.index(up) < order.index(down), f"{module} may not import {other}"


def test_no_circle_between_files() -> None:
    graph = {module: set(imports(module)) - {module} for module in modules()}
    assert not circle(graph)


def test_private_modules_stay_in_their_folder() -> None:
    for module in modules():
        for other in imports(module):
            if other.rpartition(".")[2].startswith("_") and other != "nixgen._collector":
                home = other.rpartition(".")[0]
                assert module.startswith(home), f"{module} imports the private {other}"


def test_only_a_few_files_lie_loose() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_starting_up_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['nixgen', *sys.argv[1:]]\n"
        "from nixgen.cli.entry import main\n"
        "main()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert done.stdout
    assert not loaded & {
        "attr",
        "attrs",
        "boto3",
        "botocore",
        "rich",
        "typer",
        "click",
        "jinja2",
        "json",
        "pathlib",
    }


def test_public_names_exist() -> None:
    import importlib

    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        module = importlib.import_module(name)
        public = getattr(module, "__all__", None)
        if public is not None:
            for item in public:
                assert hasattr(module, item), f"{name} has no {item}"


def test_the_tests_of_models_lie_as_the_models_do() -> None:
    tests = Path(__file__).parent / "models"
    tested = {path.relative_to(tests).with_name(path.name[5:]) for path in tests.rglob("test_*.py")}
    models = PACKAGE / "models"
    assert tested <= {path.relative_to(models) for path in models.rglob("*.py")}


def test_only_three_files_draw() -> None:
    drawing = {
        module
        for module, path in modules().items()
        if any(
            (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rich")
            or (isinstance(node, ast.Import) and any(a.name.startswith("rich") for a in node.names))
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert drawing == {"nixgen.cli.console", "nixgen.cli.progress", "nixgen.cli.cache.status"}
