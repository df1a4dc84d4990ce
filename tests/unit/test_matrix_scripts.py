"""tests/matrix: what its scripts refuse, and that the Debian they make has what pyproject.toml asks for."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
MATRIX = CHECKOUT / "tests/matrix"

# Debian's names where they are not python3-NAME, and None for what checks nixgen's own source, which no Nix changes.
_IN_DEBIAN = {
    "attrs": "python3-attr",
    "moto": "python3-moto python3-flask-cors",
    "basedpyright": None,
    "boto3-stubs": None,
    "cosmic-ray": None,
    "kubernetes-validate": None,  # its tests say that it is not there
    "mypy": None,
    "pdoc": None,  # only unit tests read the reference, which Debian 12 runs
    "pytest-cov": None,
    "pyyaml": "python3-yaml",
    "ruff": None,
}


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--suite", "moon"], "one of: trixie sid"),
        (["run", "--suite"], "one of: trixie sid"),
        (["run", "tests/real"], "unknown argument: tests/real; for pytest, put it after --"),
        (["enter"], "one of: trixie sid"),
        (["enter", "--share", "/nowhere", "sid"], "/nowhere"),
    ],
)
def test_wrong_words(arguments: list[str], says: str) -> None:
    done = run(MATRIX / arguments[0], *arguments[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.parametrize("script", ["run", "enter"])
def test_help_is_the_comment_at_the_top(script: str) -> None:
    done = run(MATRIX / script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"tests/matrix/{script} [" in done.stdout
    assert "set -euo" not in done.stdout


@pytest.mark.parametrize("arguments", [["run"], ["enter", "sid"]])
def test_only_root_may(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    somebody = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = run(MATRIX / arguments[0], *arguments[1:], env=somebody)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"only root may do; run: sudo {MATRIX / arguments[0]}" in done.stderr


def test_debian_has_every_dependency() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted}
    names = {name for name in names if not name.startswith("types-")}
    debian = {_IN_DEBIAN.get(name, f"python3-{name}") for name in names} - {None}
    listed = run("bash", "-c", '. tests/matrix/_root.sh && echo "${packages[*]}"', cwd=CHECKOUT)
    missing = {word for entry in debian for word in entry.split()} - set(listed.stdout.split())
    assert not missing, "add them to packages in tests/matrix/_root.sh"
