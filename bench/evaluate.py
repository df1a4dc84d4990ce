"""Evaluating twenty machines: none, one or all of them changed, against nix-instantiate of the same files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

BENCH = Path(__file__).resolve().parent
MACHINES = 20
SERVICES = 4
#: what starts Nix, each in the place of the real one, which is noted before it is run
PROGRAMS = ("nix", "nix-build", "nix-instantiate", "nix-store", "nix-eval-jobs")

INFRA = f"""\
import json, sys
from pathlib import Path
sys.path.insert(0, {str(BENCH)!r})
from projects import fleet
salts = json.loads(Path(__file__).with_name("salts.json").read_text())
project = fleet({MACHINES}, {SERVICES}, salts)
"""

Run = Callable[..., float]
Row = tuple[str, float, float, str, float | None] | tuple[str, float, float, str, float | None, str]


class Fleet:
    """A project of its own."""

    def __init__(
        self, folder: Path, run: Run, nixgen: Path, base: str, nixpkgs: str | None
    ) -> None:
        self.folder = folder
        self.base = base
        self._run = run
        self._nixgen = nixgen
        self._nixpkgs = nixpkgs
        self._number = 0
        self._salts = ["0"] * MACHINES
        (folder / "infra.py").write_text(INFRA)
        shutil.copy(BENCH.parent / "flake-inputs.json", folder)
        self.change()

    def change(self, machines: Sequence[int] | None = None) -> None:
        """Other contents for these machines, or for all, which no store has yet; generated/ is not written."""
        self._number += 1
        for machine in range(MACHINES) if machines is None else machines:
            self._salts[machine] = f"{self._number}-{time.time_ns()}"
        (self.folder / "salts.json").write_text(json.dumps(self._salts))

    def nixgen(self, *arguments: str) -> float:
        override = [f"--override-input=nixpkgs={self._nixpkgs}"] if self._nixpkgs else []
        return self._run(
            self._nixgen,
            "build",
            "--dry-run",
            "--base",
            self.base,
            *override,
            *arguments,
            cwd=self.folder,
        )

    def instantiate(self, attr: str) -> float:
        """nix-instantiate of what nixgen would evaluate, written by nixgen beforehand."""
        self._run(self._nixgen, "generate", cwd=self.folder)
        inputs = f"{{ nixpkgs = {self._nixpkgs}; }}" if self._nixpkgs else "{ }"
        words = ["--argstr", "base", self.base, "--arg", "inputs", inputs, "-A", attr]
        return self._run(
            "nix-instantiate", *nix_options(), "generated/default.nix", *words, cwd=self.folder
        )

    def evaluate(self) -> float:
        """What of `nixgen` is evaluating: neither Python's start nor the models."""
        self._run(self._nixgen, "generate", cwd=self.folder)
        script = [str(self._nixgen.parent / "python"), str(BENCH / "evaluate_alone.py")]
        done = subprocess.run(
            [*script, self.folder, self.base, str(MACHINES)], capture_output=True, check=True
        )
        return float(done.stdout)


def nix_options() -> list[str]:
    group = subprocess.run(["getent", "group", "nixbld"], capture_output=True, check=False)
    alone = [] if group.returncode == 0 else ["--option", "build-users-group", ""]
    return [*alone, "--option", "substituters", ""]


def noting_path(folder: Path, log: Path) -> str:
    """A PATH on which every program of Nix is noted in ``log`` when it is started."""
    folder.mkdir()
    for name in PROGRAMS:
        real = shutil.which(name)
        if real:
            (folder / name).write_text(f'#!/bin/sh\necho {name} >>{log}\nexec {real} "$@"\n')
            (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def rows(folder: Path, run: Run, environment: dict[str, str], nixgen: Path) -> Iterator[Row]:
    log = folder / "started"
    environment["PATH"] = f"{nixgen.parent}:{noting_path(folder / 'bin', log)}"
    nixpkgs = os.environ.get("NIXGEN_NIXPKGS")
    for base, tree in (("debian", None), *((("nixpkgs", nixpkgs),) if nixpkgs else ())):
        (folder / base).mkdir()
        yield from of_base(Fleet(folder / base, run, nixgen, base, tree), log)


def of_base(fleet: Fleet, log: Path) -> Iterator[Row]:
    what = f"{MACHINES} machines on {fleet.base}"
    fleet.nixgen()
    time.sleep(0.3)  # files of this moment are not trusted
    fleet.nixgen()

    log.write_text("")
    ours = min(fleet.nixgen() for _ in range(5))
    yield f"{what}, none changed", ours, 0.5, "half a second", 1.0
    stamp = fleet.folder / ".nixgen/cache/stamp-dry-run.json"
    ordinary = []
    for _ in range(5):
        stamp.unlink()
        ordinary.append(fleet.nixgen())
    yield f"{what}, none changed, without the stamp", min(ordinary), 0.5, "half a second", None
    yield f"{what}, none changed: processes of Nix", len(log.read_text().split()), 1, "one", 0.5, ""

    times = 3
    ours, alone, theirs = [], [], []
    for number in range(times):
        fleet.change([number])
        ours.append(fleet.nixgen())
        fleet.change([number])
        alone.append(fleet.nixgen(f"machines.m-{number}"))
        fleet.change([number])
        theirs.append(fleet.instantiate(f"machines.m-{number}"))
        fleet.nixgen()
    yield f"{what}, one changed", min(ours), min(alone), "nixgen, asked for that one alone", 1.3
    yield f"{what}, one changed", min(ours), min(theirs), "nix-instantiate of that one", None

    ours, alone, theirs = [], [], []
    for _ in range(times):
        fleet.change()
        ours.append(fleet.nixgen())
        fleet.change()
        theirs.append(fleet.instantiate("machines"))
        if fleet.base == "debian":
            fleet.change()
            alone.append(fleet.evaluate())
    yield f"{what}, all changed", min(ours), min(theirs), "one nix-instantiate of all", 0.67
    if alone:
        yield f"{what}, all changed: evaluating alone", min(alone), min(theirs), "the same", 0.67
