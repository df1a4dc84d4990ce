"""The wheel works without a checkout: it carries the Nix library, templates and data."""

from __future__ import annotations

import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def pip(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory, command_line):
    """nixgen in an environment of its own, which borrows its dependencies from this one."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder / "env", symlinks=True)
    python = folder / "env/bin/python"
    # a path alone: the .pth files of this environment, which name the checkout, are not read
    (packages,) = folder.glob("env/lib/python*/site-packages")
    dependencies = [path for path in site.getsitepackages() if Path(path).is_dir()]
    (packages / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    pip(
        "--python", python, "install", "--no-index", "--no-deps",
        "--ignore-installed", "--no-warn-script-location", wheel,
    )  # fmt: skip
    return command_line(folder=folder, program=(str(folder / "env/bin/nixgen"),))


def test_the_wheel_carries_the_nix_library_and_templates(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        f"nixgen/_data/{path.relative_to(ROOT)}"
        for folder in ("nix", "templates")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted |= {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nixgen").rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not path.is_relative_to(ROOT / "nixgen/_data")
    }
    assert "nixgen/cli/help.txt" in wanted
    assert {"nixgen/cli/shells/nixgen.zsh", "nixgen/instant/words.json"} <= set(wanted)
    assert wanted | {"nixgen/_data/flake-inputs.json"} <= names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "scripts/"))]


def test_the_wheel_works_without_a_checkout(installed, command_line, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)  # which may name the checkout
    where = subprocess.run(
        [installed.folder / "env/bin/python", "-c", "import nixgen; print(nixgen.__file__)"],
        cwd="/", check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(installed.folder)
    assert installed("--help").stdout.startswith("Usage: nixgen")
    installed("init", "fresh")
    nixgen = command_line(folder=installed.folder / "fresh", program=installed.program)
    assert "wrote   generated/default.nix" in nixgen("generate").stdout
    assert [row["attr"] for row in nixgen.document("list")["targets"]] == [
        "machines.web",
        "images.web",
    ]
    built = nixgen.document("build", "machines.web")["targets"]
    assert Path(built[0]["outputs"]["out"], "init").exists()
    assert nixgen("generate", "--check").stdout == "generated/ is up to date\n"
