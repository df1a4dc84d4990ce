"""Each package does one real action, where nothing of this computer's /usr can be seen.

The chosen ten are part of ``scripts/test``. ``scripts/packages`` runs all and writes docs/packages.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from debian_base import DebianBase
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

pytestmark = pytest.mark.real


CHOSEN = [case for case in all_cases() if case.quick or os.environ.get("NIXGEN_ALL_PACKAGES")]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> DebianBase:
    return DebianBase.locked(
        sorted({name for case in CHOSEN for name in (case.attribute, *case.also)}),
        tmp_path_factory.mktemp("lock"),
        {case.attribute: case.debian for case in CHOSEN if case.debian},
    )


@pytest.fixture(scope="session")
def busybox(base: DebianBase) -> str:
    return base.paths("debian.busybox")[0]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.attribute)
def test_a_package_runs_where_only_its_closure_is(
    base: DebianBase,
    busybox: str,
    tmp_path: Path,
    case: PackageCase,
    record_property: Callable[[str, object], None],
) -> None:
    record_property("packages", json.dumps(base.packages(case.attribute)))
    names = " ".join(f"pkgs.{name}" for name in (case.attribute, *case.also))
    programs = base.paths(f"[ {names} ]")
    record_property("closure", closure_size(programs[:1]))
    root = store_root(tmp_path / "root", busybox)
    ran = run_in(root, case, programs=programs, store=closure(programs), busybox=busybox)
    assert ran.status == 0, ran.output[-4000:]
    assert case.expect in ran.output


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.attribute)
def test_a_package_runs_in_an_image(
    base: DebianBase, busybox: str, tmp_path: Path, case: PackageCase
) -> None:
    names = " ".join(f"pkgs.{name}" for name in (case.attribute, *case.also))
    description = base.paths(
        f'image {{ name = "t"; contents = [ {names} ]; '
        f'users.user = {{ uid = {USER}; gid = {USER}; home = "/case"; }}; }}'
    )[0]
    root, store = image_root(tmp_path / "root", Path(description))
    ran = run_in(root, case, programs=[""], store=store, busybox=busybox)
    assert ran.status == 0, ran.output[-4000:]
    assert case.expect in ran.output
