"""bench/run: what it prints before it measures anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "bench/run"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RUN, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["startup", "--help"]])
def test_help_is_printed_and_nothing_is_measured(arguments: list[str]) -> None:
    done = bench(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: bench/run [NAME…]" in done.stdout
    assert "ratio  limit" not in done.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--markdwon", "there is no option --markdwon; see: bench/run --help"),
        ("strtup", "there is no benchmark strtup; the benchmarks: startup "),
    ],
)
def test_an_unknown_word_is_refused(argument: str, message: str) -> None:
    done = bench("startup", argument)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
