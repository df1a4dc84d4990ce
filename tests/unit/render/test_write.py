"""Writing the generated tree: only changed files, no file of the user, each whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nixgen.errors import StoreError, UsageError
from nixgen.files import write
from nixgen.render import apply, difference, plan
from nixgen.render.write import MANIFEST

TREE = {"default.nix": b"{ }\n", "machines/web.nix": b"1\n", "machines/db.nix": b"2\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "generated"
    apply(plan(TREE, target))
    return target


def present(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def test_the_first_run_writes_every_file(folder: Path) -> None:
    assert present(folder) == TREE
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    changes = plan(TREE, folder)
    assert not changes.stale
    apply(changes)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times


def test_only_changed_files_are_written(folder: Path) -> None:
    before = (folder / "machines/db.nix").stat().st_mtime_ns
    changes = plan({**TREE, "machines/web.nix": b"3\n"}, folder)
    assert list(changes.written) == ["machines/web.nix"]
    apply(changes)
    assert (folder / "machines/db.nix").stat().st_mtime_ns == before


def test_files_that_nixgen_wrote_are_removed_with_their_empty_folder(folder: Path) -> None:
    changes = plan({"default.nix": b"{ }\n"}, folder)
    assert changes.removed == ("machines/db.nix", "machines/web.nix")
    apply(changes)
    assert present(folder) == {"default.nix": b"{ }\n"}
    assert not (folder / "machines").exists()


def test_a_stale_file_that_was_edited_is_kept(folder: Path) -> None:
    (folder / "machines/db.nix").write_bytes(b"mine now\n")
    changes = plan({"default.nix": b"{ }\n"}, folder)
    assert changes.kept == ("machines/db.nix",)
    apply(changes)
    assert (folder / "machines/db.nix").read_bytes() == b"mine now\n"


def test_a_file_of_the_user_is_never_touched(folder: Path) -> None:
    (folder / "notes.md").write_bytes(b"mine\n")
    apply(plan({"default.nix": b"x\n"}, folder))
    assert (folder / "notes.md").read_bytes() == b"mine\n"
    changes = plan({**TREE, "notes.md": b"theirs\n", "new.nix": b"n\n"}, folder)
    with pytest.raises(UsageError, match=r"notes\.md was not written by nixgen"):
        apply(changes)
    assert not (folder / "new.nix").exists()
    assert (folder / "notes.md").read_bytes() == b"mine\n"


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[]", b'{"schema": "x"}', b'{"schema": "nixgen/generated/1", "files": 3}'],
)
def test_a_damaged_manifest_lists_no_file(folder: Path, damage: bytes) -> None:
    (folder / MANIFEST).write_bytes(damage)
    assert not plan(TREE, folder).stale
    changes = plan({"default.nix": b"other\n"}, folder)
    assert changes.foreign == ("default.nix",)
    assert changes.removed == ()


def test_paths_of_a_manifest_outside_the_folder_are_ignored(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"")
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (folder / MANIFEST).write_text(
        f'{{"schema": "nixgen/generated/1", "files": {{"../precious": "{digest}"}}}}'
    )
    apply(plan({}, folder))
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize("fails_at", range(1, 6))
def test_a_run_after_one_that_was_killed_finishes_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    folder = tmp_path / "generated"
    apply(plan({"old.nix": b"o\n", "machines/web.nix": b"0\n"}, folder))
    replace, count = os.replace, 0

    def dying(source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count == fails_at:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            apply(plan(TREE, folder))
    apply(plan(TREE, folder))
    assert present(folder) == TREE
    assert not [path for path in folder.rglob(".*") if path.name != MANIFEST]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "tiny"
    place.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], check=False
        ).returncode
    ):
        pytest.skip("mounting a tiny disk needs root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_loses_no_file(tiny_disk: Path) -> None:
    folder = tiny_disk / "generated"
    apply(plan({"default.nix": b"{ }\n"}, folder))
    with pytest.raises(StoreError, match="No space left"):
        apply(plan({"default.nix": b"x" * 100_000}, folder))
    assert present(folder) == {"default.nix": b"{ }\n"}


def test_a_read_only_disk_is_reported(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(StoreError, match="Read-only file system") as caught:
        apply(plan(TREE, tiny_disk / "generated"))
    assert caught.value.hint
    assert caught.value.exit_status == 3


def test_other_errors_of_the_system_are_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="I/O"):
        write.write_atomically(tmp_path / "x", b"")


def test_the_difference_is_a_patch(folder: Path) -> None:
    lines = list(difference(plan({"default.nix": b"{ a = 1; }\n", "new.nix": b"n\n"}, folder)))
    assert "--- a/generated/default.nix" in "".join(lines)
    assert "+++ b/generated/new.nix" in "".join(lines)
    assert "+{ a = 1; }\n" in lines
    assert "-1\n" in lines  # machines/web.nix goes away
