"""The digest changes with everything that an evaluation can read, and with nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nixgen.driver.evaluate.dependencies import Dependencies, DependencyGraph

ROW = b"{ a = import ./lib/project.nix; b = ./machines/web.nix; lock = ../debian.lock.json; }"
FILES = {
    "debian.lock.json": "{}",
    "generated/lib/project.nix": "builtins.currentTime",
    "generated/lib/deep/more.nix": "1",
    "generated/machines/web.nix": "{ imports = [ ../../modules/web.nix ]; path = ../../app; }",
    "generated/machines/db.nix": "{ }",
    "modules/web.nix": "{ imports = [ ./common ./gone.nix ]; x = builtins.readFile ./motd; }",
    "modules/motd": "hello",
    "modules/common/default.nix": '{ imports = [ ../extra.nix ]; y = builtins.getEnv "Y"; }',
    "modules/common/data.json": "[ ]",
    "modules/extra.nix": "{ }",
    "modules/other.nix": "{ }",
    "app/server.js": "1",
    "app/node_modules/x.js": "1",
    ".nixgen/cache/x": "1",
}


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self.sources: dict[str, Callable[[], bytes]] = {str(root / "app"): self.app}
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def app(self) -> bytes:
        return (self.root / "app/server.js").read_bytes()

    def graph(self) -> DependencyGraph:
        return DependencyGraph(
            root=str(self.root),
            state=str(self.root / ".nixgen"),
            generated=str(self.root / "generated"),
            library=str(self.root / "generated/lib"),
            sources=self.sources,
            store=str(self.root / "store"),
            environment=self.environment,
        )

    def dependencies(self, row: bytes = ROW) -> Dependencies:
        return self.graph().dependencies(row, str(self.root / "generated/default.nix"))

    @property
    def digest(self) -> bytes:
        return self.dependencies().digest


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.mark.parametrize(
    "name",
    [
        "debian.lock.json",
        "generated/lib/project.nix",
        "generated/lib/deep/more.nix",
        "generated/lib/new.nix",
        "generated/machines/web.nix",
        "modules/web.nix",
        "modules/motd",
        "modules/common/default.nix",
        "modules/common/data.json",
        "modules/common/new",
        "modules/extra.nix",
        "modules/gone.nix",
        "app/server.js",
    ],
)
def test_a_change_of_a_reachable_file_changes_the_digest(project: Project, name: str) -> None:
    before = project.digest
    project.write(name, "{ changed = true; }")
    assert project.digest != before


@pytest.mark.parametrize(
    "name",
    [
        "generated/machines/db.nix",
        "generated/default.nix",
        "modules/other.nix",
        "app/node_modules/x.js",
        ".nixgen/cache/x",
        "README",
    ],
)
def test_a_change_of_another_file_does_not_change_the_digest(project: Project, name: str) -> None:
    before = project.digest
    project.write(name, "changed")
    assert project.digest == before


def test_another_text_has_another_digest(project: Project) -> None:
    assert project.dependencies(ROW.replace(b"web", b"db")).digest != project.digest
    assert project.dependencies(ROW + b" ").digest != project.digest


def test_the_executable_bit_and_the_removal_of_a_file_count(project: Project) -> None:
    seen = [project.digest]
    (project.root / "modules/motd").chmod(0o755)
    seen.append(project.digest)
    (project.root / "modules/motd").unlink()
    seen.append(project.digest)
    (project.root / "modules/common/data.json").rename(project.root / "modules/common/data2.json")
    seen.append(project.digest)
    assert len(set(seen)) == len(seen)


def test_the_values_of_named_variables_count(project: Project) -> None:
    seen = [project.digest]
    for value in ("", "1"):
        project.environment = {"Y": value, "OTHER": value}
        seen.append(project.digest)
    assert len(set(seen)) == 3
    assert project.dependencies().variables == {"Y"}


def test_links_are_followed(project: Project) -> None:
    elsewhere = project.root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.nix").write_text("./beside")
    (project.root / "modules/motd").unlink()
    (project.root / "modules/motd").symlink_to(elsewhere / "linked.nix")
    (project.root / "modules/common/link").symlink_to(elsewhere)
    seen = [project.digest]
    (elsewhere / "beside").write_text("1")
    seen.append(project.digest)
    (elsewhere / "linked.nix").write_text("2")
    seen.append(project.digest)
    assert len(set(seen)) == len(seen)


def test_circular_links_end(project: Project) -> None:
    (project.root / "modules/common/up").symlink_to(project.root / "modules")
    project.write("modules/extra.nix", "import ./web.nix")
    before = project.digest
    project.write("modules/other.nix", "{ changed = true; }")
    assert project.digest != before, "the link leads to all of modules/"


def test_the_location_of_hand_written_nix_counts(project: Project) -> None:
    row = b"{ lock = ../debian.lock.json; b = ./machines/db.nix; }"
    before = project.digest, project.dependencies(row).digest
    moved = Project(project.root.parent / "moved")
    assert moved.dependencies(row).digest == before[1]
    assert moved.digest != before[0]


def test_paths_in_the_store_count_by_name_only(project: Project) -> None:
    project.write("modules/extra.nix", f"import {project.root}/store/x/default.nix")
    project.write("store/x/default.nix", "builtins.currentTime")
    before = project.dependencies()
    assert not before.doubts
    project.write("store/x/default.nix", "2")
    assert project.digest == before.digest


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("{ }\n// { t = builtins.currentTime; }", "modules/extra.nix:2 asks what time it is (currentTime)"),
        ("<nixpkgs>", "modules/extra.nix:1 looks up <nixpkgs> in the search path NIX_PATH"),
        ("/.", "/ counts as a whole, and is too large to be compared each time"),
        ("./../../many", "many counts as a whole, and is too large to be compared each time"),
    ],
)  # fmt: skip
def test_a_doubt_names_its_place(
    project: Project, text: str, doubt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nixgen.driver.evaluate.dependencies._MOST_ENTRIES", 20)
    for number in range(30):
        project.write(f"many/{number}", "")
    project.write("modules/extra.nix", text.replace("../../many", "../many"))
    assert project.dependencies().doubts == (doubt,)
    row = ROW.replace(b"web", b"db")
    assert project.dependencies(row).doubts == (), "the doubts of one target are no other's"


def test_absolute_paths_in_strings_count(project: Project) -> None:
    outside = project.root.parent / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "secret").write_text("1")
    project.write(
        "modules/extra.nix",
        f'{{ a = builtins.readFile "{outside}/secret"; b = "{outside}/folder"; }}',
    )
    before = project.digest
    (outside / "folder/new").write_text("1")
    assert project.digest == before, "only the machine knows what is in a folder named in a string"
    (outside / "folder/default.nix").write_text("{ }")
    imported = project.digest
    assert imported != before, "but imports take strings, too"
    (outside / "secret").write_text("2")
    assert project.digest != imported
    assert not project.dependencies().doubts
    project.write("modules/extra.nix", f'builtins.readDir "{outside}/folder"')
    assert project.dependencies().doubts == (
        f"modules/extra.nix may read the folder {outside}/folder, which it names in a string",
    )


def test_an_unreadable_file_is_no_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = project.digest

    def refuse(path: str, *_: object) -> object:
        raise PermissionError(13, "no", path)

    monkeypatch.setattr("builtins.open", refuse)
    assert project.digest != before
    monkeypatch.undo()
    os.mkfifo(project.root / "modules/common/pipe")
    assert project.digest != before


def test_paths_lists_the_files_to_watch(project: Project) -> None:
    paths = {os.path.relpath(path, project.root) for path in project.dependencies().paths}
    assert {
        "debian.lock.json",
        "modules/gone.nix",
        "modules/common",
        "modules/common/data.json",
        "modules/extra.nix",
        "generated/machines/web.nix",
    } <= paths
    assert not any("node_modules" in path for path in paths)


def test_only_the_existence_of_a_folder_in_a_string_counts(project: Project) -> None:
    """A service that may write to /tmp is not evaluated again whenever something writes there."""
    folder = project.root / "tmp"
    folder.mkdir()
    project.write("modules/web.nix", f'{{ x = "{folder}"; }}')
    before = project.dependencies()
    assert str(folder) in before.folders
    assert str(folder) not in before.paths
    assert str(folder / "default.nix") in before.paths
    project.write("tmp/new", "1")
    assert project.digest == before.digest
    shutil.rmtree(folder)
    assert project.digest != before.digest


def test_relative_files_are_the_files_named_relative_to_the_text(project):
    project.write("data/real", "x")
    (project.root / "modules/link").symlink_to("../data/real")
    project.write(
        "modules/web.nix",
        '{ imports = [ ./common ./gone.nix "/etc/nixos/hardware.nix" ]; x = [ ./link /etc/passwd "/etc/hosts" ~/.ssh ]; }',
    )
    moving = project.graph().relative_files(ROW, str(project.root / "generated/default.nix"))
    assert {path.removeprefix(f"{project.root}/") for path in moving} == {
        "debian.lock.json",
        "generated/machines/web.nix",
        "modules/web.nix",
        "modules/common",
        "modules/common/data.json",
        "modules/common/default.nix",
        "modules/extra.nix",
        "modules/gone.nix",
        "modules/link",
        "data/real",
    }
