"""examples/shop is built on the real Nix with the commands that a person types."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

TARGETS = [
    "machines.web",
    "machines.db",
    "images.api",
    "images.redis",
    "kubernetes.shop",
    "tests.smoke",
]


@pytest.fixture(scope="module")
def built(example):
    """Built once, and changed by no test: (the command line in it, its results)."""
    nixgen = example("shop")
    return nixgen, nixgen.document("build")


@pytest.fixture
def shop(built, example):
    """A copy that may be changed: locked and generated, but without memory of a build."""
    return example("shop", source=built[0].folder)


def statuses(results):
    return {target["attr"]: target["status"] for target in results["targets"]}


def outputs(results):
    return {target["attr"]: target["outputs"]["out"] for target in results["targets"]}


def test_every_target_is_built_and_kept(built):
    nixgen, results = built
    assert list(outputs(results)) == TARGETS
    for attr, path in outputs(results).items():
        link = nixgen.folder / ".nixgen/gcroots" / attr
        assert str(link.readlink()) == path
        assert Path(path).exists()
    roots = subprocess.run(
        ["nix-store", "--query", "--roots", outputs(results)["machines.db"]],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert str(nixgen.folder / ".nixgen/gcroots/machines.db") in roots
    assert {target["where"].partition(":")[0] for target in results["targets"]} == {"infra.py"}
    assert all(target["seconds"] >= 0 for target in results["targets"])


@pytest.mark.parametrize("how", [(), ("--keep-going",)], ids=["instant", "pipeline"])
def test_a_build_with_nothing_to_do_starts_no_process(shop, command_line, tmp_path, how):
    """Every program that PATH offers says that it was started; `--keep-going` takes the way through the pipeline."""
    log, programs = tmp_path / "log", tmp_path / "bin"
    programs.mkdir()
    for folder in (
        "/usr/bin",
        "/usr/sbin",
        "/usr/local/bin",
        Path(shutil.which("nix-store")).parent,
    ):
        for program in Path(folder).glob("*"):
            wrapper = programs / program.name
            if not wrapper.exists() and not program.name.startswith("python"):
                wrapper.write_text(f'#!/bin/sh\necho {program.name} >>{log}\nexec {program} "$@"\n')
                wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    nixgen = command_line(folder=shop.folder, environment={"PATH": str(programs)})
    first = nixgen("build")
    assert {"nix-instantiate", "nix-store"} <= set(log.read_text().split())
    log.unlink()
    second = nixgen("build", *how)
    assert not log.exists(), log.read_text()
    assert [line.split()[1:] for line in second.stdout.splitlines()] == [
        line.split()[1:] for line in first.stdout.splitlines()
    ]
    assert {line.split()[0] for line in second.stdout.splitlines()} == {"cached"}


def test_an_edit_rebuilds_only_the_targets_that_depend_on_it(shop):
    before = outputs(shop.document("build"))
    server = shop.folder / "app/server.js"
    original = server.read_text()
    # another text each time, so that no earlier run has built it
    server.write_text(f"{original}// {secrets.token_hex()}\n")
    edited = shop.document("build")
    assert statuses(edited) == {
        "machines.web": "built",
        "machines.db": "cached",
        "images.api": "built",
        "images.redis": "cached",
        "kubernetes.shop": "cached",
        "tests.smoke": "built",
    }
    changed = {attr for attr, path in outputs(edited).items() if path != before[attr]}
    assert changed == {"machines.web", "images.api", "tests.smoke"}
    server.write_text(original)
    again = shop.document("build")
    assert outputs(again) == before
    assert set(statuses(again).values()) == {"cached"}


def test_an_edited_model_rewrites_only_its_files(shop):
    infra = shop.folder / "infra.py"
    infra.write_text(infra.read_text().replace('"Visit counter"', '"Counts visits"'))
    document = shop.document("generate")
    assert document["written"] == ["kubernetes/shop.nix", "machines/db.nix"]
    assert document["removed"] == []


def test_a_build_in_a_log_has_a_line_for_each_path_only_with_verbose(shop):
    lines = []
    for words in ((), ("--verbose",)):
        (shop.folder / "app/server.js").write_text(f"// {secrets.token_hex(8)}\n")
        done = shop("build", "machines.web", *words)
        assert done.stdout.startswith("built ")
        lines.append(sum(line.startswith("built ") for line in done.stderr.splitlines()))
    assert lines[0] == 0
    assert lines[1] > 1


def test_an_environment_changes_the_unit(built, shop):
    usual = outputs(built[1])
    staging = outputs(shop.document("build", "machines", "--env", "staging"))
    assert staging["machines.db"] == usual["machines.db"]
    units = [
        Path(results["machines.web"], "etc/systemd/system/api.service").read_text()
        for results in (usual, staging)
    ]
    assert [unit.count("TARGET=World") for unit in units] == [1, 0]
    assert [unit.count("TARGET=staging") for unit in units] == [0, 1]


def test_the_generated_tree_is_fresh_and_builds_without_nixgen(built):
    nixgen, results = built
    assert nixgen("generate", "--check").stdout == "generated/ is up to date\n"
    alone = subprocess.run(
        [
            "nix-build", nixgen.folder / "generated", "-A", "machines.web", "--no-out-link",
            "--option", "build-users-group", "", "--option", "substituters", "",
        ],
        check=False, capture_output=True, text=True, cwd="/",
        env={name: value for name, value in os.environ.items() if not name.startswith("NIXGEN_")},
    )  # fmt: skip
    assert alone.stdout.strip() == outputs(results)["machines.web"], alone.stderr


def test_a_project_from_init_builds(command_line, tmp_path):
    start = command_line(folder=tmp_path)
    assert "nixgen build" in start("init", "my-shop").stderr
    nixgen = command_line(folder=tmp_path / "my-shop")
    built = outputs(nixgen.document("build"))
    assert list(built) == ["machines.web", "images.web"]
    assert [row["attr"] for row in nixgen.document("list")["targets"]] == list(built)
    assert "exists already" in start("init", "my-shop", expect=2).stderr


def test_the_smallest_example_builds(example):
    built = outputs(example("hello").document("build"))
    assert list(built) == ["machines.web", "images.web"]
    assert all(Path(path).exists() for path in built.values())
