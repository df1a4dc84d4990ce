"""Options and fixtures of the whole suite."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, settings

# A busy machine is no counterexample, and what CI finds everybody finds: the same examples each time, as long as they take.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

EXAMPLES = Path(__file__).parents[1] / "examples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="rewrite expected/ of the golden cases"
    )


def pytest_configure() -> None:
    """Started in the background, or by nohup, Ctrl-C is ignored, and by every child too: tests of interrupts would hang."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real tests need a real Nix; say so once, instead of failing a hundred times."""
    if shutil.which("nix-instantiate"):
        return
    missing = pytest.mark.skip(
        reason="Nix is not installed; scripts/test installs it (apt-get install nix-bin)"
    )
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(missing)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    _tell_faults(terminalreporter)
    _tell_missing_trees(terminalreporter)


def _tell_missing_trees(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was left out for want of trees that no package has."""
    reasons = [
        reason
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple) and "NIXGEN_" in (reason := report.longrepr[2])
    ]
    if reasons:
        terminalreporter.section("nixpkgs")
        terminalreporter.line(
            f"{len(reasons)} tests of the nixpkgs base were skipped; they run with checkouts of nixpkgs and kubenix:"
        )
        terminalreporter.line(
            "NIXGEN_NIXPKGS=/path/to/nixpkgs NIXGEN_KUBENIX=/path/to/kubenix scripts/test -m nixpkgs"
        )


def _tell_faults(terminalreporter: pytest.TerminalReporter) -> None:
    """What was injected and what came of it, of the tests that record it."""
    rows = [
        (report.nodeid.rpartition("::")[2], value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "faults"
    ]
    if rows:
        terminalreporter.section("faults")
        for test, said in rows:
            terminalreporter.line(f"{test}: {said}")


@frozen(kw_only=True)
class CommandLine:
    """nixgen as a person runs it, in a folder.

    :param environment: what is different from this process's own.
    """

    folder: Path
    environment: Mapping[str, str] = MappingProxyType({})
    program: tuple[str, ...] = (
        sys.executable,
        "-c",
        "from nixgen.cli.entry import main; main()",
    )

    def __call__(self, *arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Any other exit status than the expected one fails the test, with everything that was said."""
        done = subprocess.run(
            [*self.program, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == expect, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def document(self, *arguments: object, expect: int = 0) -> dict[str, Any]:
        """The one JSON document of a command."""
        done = self(*arguments, "--json", expect=expect)
        return dict(json.loads(done.stdout))

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """For what runs until it is interrupted; the caller ends it."""
        return subprocess.Popen(
            [*self.program, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CommandLine]:
    """A fresh copy of an example, without what an earlier build left there, and the command line in it."""

    def copy(name: str, *, source: Path | None = None) -> CommandLine:
        folder = tmp_path_factory.mktemp(name) / name
        shutil.copytree(
            source or EXAMPLES / name,
            folder,
            ignore=shutil.ignore_patterns(
                ".nixgen", "__pycache__", *(() if source else ("generated", "debian.lock.json"))
            ),
        )
        return CommandLine(folder=folder)

    return copy


@pytest.fixture(scope="session")
def command_line() -> type[CommandLine]:
    return CommandLine
