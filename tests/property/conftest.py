"""Laws checked against the real Nix: many values for one process, and a shrunk value when one fails.

Hypothesis makes the values; asking Nix about each would cost 25 ms a value. So a law gets a few hundred
values at once and answers which of them break it; only then is Hypothesis asked for the smallest one.

Profiles, chosen with ``HYPOTHESIS_PROFILE``: ``ci`` (the default, the same values every time) and ``deep``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

_COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("ci", max_examples=300, derandomize=True, **_COMMON)
settings.register_profile("deep", max_examples=5000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

Law = Callable[[Sequence[Any]], Sequence[bool]]


@pytest.fixture
def holds() -> Callable[[SearchStrategy[Any], Law], None]:
    """Assert that a law holds for every value of a strategy."""

    def check(strategy: SearchStrategy[Any], law: Law) -> None:
        values: list[Any] = []

        @settings(phases=[Phase.generate])
        @given(strategy)
        def collect(value: Any) -> None:
            values.append(value)

        collect()
        assert len(values) > settings().max_examples // 4, "the strategy rejects too much"
        verdicts = law(values)
        assert len(verdicts) == len(values)
        if all(verdicts):
            return
        broken = values[list(verdicts).index(False)]
        with contextlib.suppress(NoSuchExample):
            broken = find(strategy, lambda value: not law([value])[0], settings=settings())
        pytest.fail(
            f"{verdicts.count(False)} of {len(values)} values break the law, one: {broken!r}"
        )

    return check


class Nix:
    """``nix-instantiate`` on files in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["nix-instantiate", "--option", "build-users-group", "", *arguments],
            cwd=self.folder,
            env={**os.environ, "NIX_STATE_DIR": str(self.folder / "state"), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def evaluate(self, text: str) -> Any:
        """The value of a file with this text, by way of JSON."""
        (self.folder / "value.nix").write_bytes(text.encode())
        return json.loads(self.run("--eval", "--strict", "--json", "value.nix"))

    def parse(self, texts: Sequence[str]) -> list[str]:
        """Nix's own notation of each text: every operation in parentheses, strings in one form."""
        names = []
        for number, text in enumerate(texts):
            names.append(f"{number}.nix")
            (self.folder / names[-1]).write_bytes(text.encode())
        parsed = self.run("--parse", *names).removesuffix("\n").split("\n")
        assert len(parsed) == len(texts)
        return parsed


@pytest.fixture
def nix(tmp_path: Path) -> Nix:
    return Nix(tmp_path)
