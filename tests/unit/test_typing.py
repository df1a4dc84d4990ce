"""Mistakes in infra.py are found by the type checkers that editors use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISTAKES = "tests/typing/mistakes.py"
RIGHT = [
    "examples/hello/infra.py",
    "examples/secrets/infra.py",
    "examples/shop/infra.py",
    "examples/cluster/infra.py",
    "tests/golden/cases/kitchen-sink/case.py",
]


def mypy(*files: str) -> set[tuple[str, int]]:
    """Files and lines that mypy reports."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return {
        (file, int(line))
        for file, line in re.findall(r"^(.+?):(\d+): error", done.stdout, re.MULTILINE)
    }


def pyright(*files: str) -> set[tuple[str, int]]:
    """Files and lines that pyright reports. basedpyright's wheel brings the Node that it runs on."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "basedpyright", "--outputjson", "--level", "error"),
            *("--pythonpath", sys.executable, *files),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return {
        (str(Path(found["file"]).relative_to(ROOT)), found["range"]["start"]["line"] + 1)
        for found in json.loads(done.stdout)["generalDiagnostics"]
    }


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_every_mistake_is_reported_and_nothing_else(
    checker: Callable[..., set[tuple[str, int]]],
) -> None:
    lines = (ROOT / MISTAKES).read_text().splitlines()
    wrong = {
        (MISTAKES, number) for number, line in enumerate(lines, 1) if line.endswith("# mistake")
    }
    assert len(wrong) > 30
    assert checker(MISTAKES) == wrong


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_right_descriptions_are_not_reported(
    checker: Callable[..., set[tuple[str, int]]],
) -> None:
    # one by one: each is a module of the same name
    assert not set().union(*(checker(file) for file in RIGHT))


def test_the_typing_cases_hold() -> None:
    assert not mypy("tests/typing/models.py")
    assert not mypy("tests/typing/lines.py")
