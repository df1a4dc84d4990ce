"""A repeated build or dry run is answered from its stamp; other command lines are left to typer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nixgen.files.fingerprint import fingerprint
from nixgen.instant import stamp
from nixgen.instant.answer import nothing_to_do

RESULTS = [
    ("machines.web", "cached", "/nix/store/x-web"),
    ("tests.smoke", "would build", "/nix/store/x-smoke"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tree/nixos").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    monkeypatch.chdir(tmp_path)
    for verb, base, overrides in (
        (stamp.BUILD, "debian", {}),
        (stamp.DRY_RUN, "nixpkgs", {"nixpkgs": str(tmp_path / "tree")}),
    ):
        results = [result for result in RESULTS if verb == stamp.DRY_RUN or result[1] == "cached"]
        stamp.save(
            str(tmp_path),
            stamp.request(verb, (), base=base, environment=None, overrides=overrides),
            results,
            since=time.time_ns(),
            paths=set(),
            products=set(),
            variables=set(),
            links={},
            there=set(),
            absent={"/nix/store/x-smoke"},
            trees={path: fingerprint(path) for path in overrides.values()},
        )
    return tmp_path


def test_a_build_that_holds_is_answered(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nothing_to_do([])
    printed = capsys.readouterr()
    assert printed.out == "cached  machines.web  /nix/store/x-web\n"
    assert printed.err == "1 target, nothing to do\n"


DRY_RUN = ["--dry-run", "--base", "nixpkgs", "--override-input", "nixpkgs=tree"]


@pytest.mark.parametrize(
    "arguments",
    [
        DRY_RUN,
        ["--dry-run", "--base=nixpkgs", "--override-input=nixpkgs=link"],
        ["--override-input", "nixpkgs=../{name}/tree", "--base", "nixpkgs", "--dry-run"],
        ["--project", "../{name}", *DRY_RUN],
    ],
)
def test_a_dry_run_that_holds_is_answered(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert nothing_to_do([word.format(name=project.name) for word in arguments])
    printed = capsys.readouterr()
    assert printed.out == (
        "cached      machines.web  /nix/store/x-web\nwould build tests.smoke   /nix/store/x-smoke\n"
    )
    assert printed.err == "1 of 2 targets would be built\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dry-run"],
        ["--base", "nixpkgs"],
        DRY_RUN[:3],
        [*DRY_RUN, "machines"],
        [*DRY_RUN, "--json"],
        [*DRY_RUN, "--env", "prod"],
        [*DRY_RUN, "--override-input", "nixpkgs=tree"],
        [*DRY_RUN[:-1], "nixpkgs"],
        [*DRY_RUN, "--env"],
    ],
)
def test_a_command_line_with_other_options_is_left_to_typer(
    project: Path, arguments: list[str]
) -> None:
    assert not nothing_to_do(arguments)


def test_a_changed_tree_is_left_to_typer(project: Path) -> None:
    (project / "tree/nixos/new.nix").write_text("{ }")
    assert not nothing_to_do(DRY_RUN)
