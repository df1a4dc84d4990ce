"""Each package does one real action, where nothing of this computer's /usr can be seen.

The chosen ten are part of ``scripts/test``. ``scripts/packages`` runs all and writes docs/packages.md.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from package_cases import (
    USER,
    PackageCase,
    all_cases,
    closure,
    closure_size,
    image_root,
    run_in,
    store_root,
)

from nixgen.debian.bootstrap import ensure_busybox
from nixgen.debian.lock import write_lock
from nixgen.debian.locking import machine_mirrors, resolve_lock
from nixgen.debian.mirrors import mirrors_env
from nixgen.driver.commands.nix import NixOptions
from nixgen.programs.runner import SubprocessRunner

pytestmark = pytest.mark.real

NIX = Path(__file__).parents[2] / "nix"
OPTIONS = NixOptions.of_host()


CHOSEN = [case for case in all_cases() if case.quick or os.environ.get("NIXGEN_ALL_PACKAGES")]


@frozen
class Base:
    lock: Path
    environment: dict[str, str]

    def packages(self, attribute: str) -> list[str]:
        """The Debian packages of an attribute, with their versions."""
        locked = json.loads(self.lock.read_text())["architectures"]["amd64"]
        names = locked["roots"][attribute]
        return [f"{name} {locked['packages'][name]['version']}" for name in names]

    def build(self, expression: str) -> list[str]:
        text = f'with import {NIX} {{ base = "debian"; system = builtins.currentSystem; lock = {self.lock}; }}; {expression}'
        argv = ["nix-build", "--no-out-link", "-j2", *OPTIONS.arguments, "-E", text]
        done = subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.split()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    runner = SubprocessRunner()
    attributes = {name for case in CHOSEN for name in (case.attribute, *case.also)}
    lock = resolve_lock(
        sorted(attributes),
        suite="bookworm",
        architectures=["amd64"],
        runner=runner,
        overrides={case.attribute: case.debian for case in CHOSEN if case.debian},
    )
    path = tmp_path_factory.mktemp("lock") / "debian.lock.json"
    write_lock(lock, path)
    mirrors = machine_mirrors(runner)
    ensure_busybox(lock.architectures["amd64"], mirrors, runner)
    return Base(path, {**os.environ, "NIXGEN_DEBIAN_MIRRORS": mirrors_env(mirrors)})


@pytest.fixture(scope="session")
def busybox(base: Base) -> str:
    return base.build("debian.busybox")[0]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.attribute)
def test_a_package_runs_where_only_its_closure_is(
    base: Base,
    busybox: str,
    tmp_path: Path,
    case: PackageCase,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("packages", json.dumps(base.packages(case.attribute)))
    names = " ".join(f"pkgs.{name}" for name in (case.attribute, *case.also))
    programs = base.build(f"[ {names} ]")
    record_property("closure", closure_size(programs[:1]))
    root = store_root(tmp_path / "root", busybox)
    ran = run_in(root, case, programs=programs, store=closure(programs), busybox=busybox)
    assert ran.status == 0, ran.output[-4000:]
    assert case.expect in ran.output


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.attribute)
def test_a_package_runs_in_an_image(
    base: Base, busybox: str, tmp_path: Path, case: PackageCase
) -> None:
    names = " ".join(f"pkgs.{name}" for name in (case.attribute, *case.also))
    description = base.build(
        f'image {{ name = "t"; contents = [ {names} ]; '
        f'users.user = {{ uid = {USER}; gid = {USER}; home = "/case"; }}; }}'
    )[0]
    root, store = image_root(tmp_path / "root", Path(description))
    ran = run_in(root, case, programs=[""], store=store, busybox=busybox)
    assert ran.status == 0, ran.output[-4000:]
    assert case.expect in ran.output
