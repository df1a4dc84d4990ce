"""The disk image of a closure: its key, the command that makes it, and what happens without space."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nixgen.errors import StoreError
from nixgen.programs.command import Command, Completed
from nixgen.vm.qemu import storeimage
from nixgen.vm.qemu.storeimage import closure_hash, mksquashfs_command, store_image
from nixgen.vm.record.events import StoreImageReady
from nixgen.vm.spec import ClosurePath


class Maker:
    """A runner that writes a few bytes where mksquashfs would write its image."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.commands: list[Command] = []

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        target = Path(command.argv[command.argv.index("-keep-as-directory") - 1])
        target.write_bytes(b"image")
        return Completed(status=self.status, stderr=b"one\ntwo\n")

    def lines(self, command: Command, on_line: object, **_: object) -> Completed:
        raise NotImplementedError


def path(name: str, *, nar_hash: str = "sha256:1", size: int = 10) -> ClosurePath:
    return ClosurePath(path=name, nar_hash=nar_hash, nar_size=size)


def ignore(_: object) -> None:
    """Nobody looks."""


def test_the_key_follows_paths_and_hashes_only() -> None:
    one, two = path("/nix/store/a"), path("/nix/store/b", nar_hash="sha256:2")
    changed = path("/nix/store/b", nar_hash="sha256:3")
    assert closure_hash([one, two]) == closure_hash([two, one])
    assert len({closure_hash(c) for c in ([one], [one, two], [one, changed])}) == 3
    # an image of an earlier version of nixgen is found again
    assert closure_hash([one, two]) == "4aa8cf7d6763952348cf7215432dac63"


def test_the_command_makes_the_same_image_anywhere() -> None:
    command = mksquashfs_command(["/nix/store/b", "/nix/store/a"], Path("/cache/x"))
    assert " ".join(command.argv) == (
        "mksquashfs /nix/store/a /nix/store/b /cache/x -keep-as-directory -noappend"
        " -no-progress -no-xattrs -noI -noId -noD -noF -noX -all-root -root-mode 755"
    )
    assert command.env == {"SOURCE_DATE_EPOCH": "1"}
    assert command.deadline == 900


def test_an_image_is_made_once(tmp_path: Path) -> None:
    maker = Maker()
    events: list[StoreImageReady] = []
    cache = tmp_path / "deep" / "cache"
    closure = (path(str(tmp_path)),)
    images = {
        store_image(closure, cache_dir=cache, runner=maker, observe=events.append)  # type: ignore[arg-type]
        for _ in range(2)
    }
    assert images == {cache / f"{closure_hash(closure)}.squashfs"}
    assert len(maker.commands) == 1
    assert [(e.paths, e.size, e.cached) for e in events] == [(1, 5, False), (1, 5, True)]
    assert all(0 <= event.seconds < 60 for event in events)
    assert [file.name for file in cache.iterdir()] == [f"{closure_hash(closure)}.squashfs"]


def test_the_four_newest_images_stay(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.squashfs").touch()
        os.utime(tmp_path / f"{number}.squashfs", (number, number))
    (tmp_path / "other").touch()
    store_image((path(str(tmp_path)),), cache_dir=tmp_path, runner=Maker(), observe=ignore)
    names = {file.name for file in tmp_path.iterdir()}
    image = f"{closure_hash([path(str(tmp_path))])}.squashfs"
    assert names == {"other", image, "3.squashfs", "4.squashfs", "5.squashfs"}


def test_an_image_that_is_used_counts_as_new(tmp_path: Path) -> None:
    closure = (path(str(tmp_path)),)
    image = store_image(closure, cache_dir=tmp_path, runner=Maker(), observe=ignore)
    os.utime(image, (1, 1))
    store_image(closure, cache_dir=tmp_path, runner=Maker(), observe=ignore)
    assert image.stat().st_mtime > 1000


def test_the_image_just_made_stays_whatever_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of a host may run backwards."""
    for number in range(4):
        (tmp_path / f"{number}.squashfs").touch()
        os.utime(tmp_path / f"{number}.squashfs", (1 << 33, 1 << 33))
    image = store_image((path(str(tmp_path)),), cache_dir=tmp_path, runner=Maker(), observe=ignore)
    assert image.exists()


def test_missing_paths_are_named_up_to_ten(tmp_path: Path) -> None:
    closure = (path(str(tmp_path)), *(path(f"{tmp_path}/{number:02}") for number in range(12)))
    with pytest.raises(StoreError) as caught:
        store_image(closure, cache_dir=tmp_path, runner=Maker(), observe=ignore)
    assert caught.value.message == "12 store paths of the test are missing"
    assert caught.value.hint == "build the test again: nixgen build tests.NAME"
    assert caught.value.details == tuple(f"{tmp_path}/{number:02}" for number in range(10))


def test_an_empty_closure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="empty closure"):
        store_image((), cache_dir=tmp_path, runner=Maker(), observe=ignore)


@pytest.mark.parametrize(("free", "enough"), [(3 << 20, True), ((3 << 20) - 1, False)])
def test_a_full_disk_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, enough: bool
) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(storeimage.shutil, "disk_usage", lambda _: usage)
    closure = (path(str(tmp_path), size=1 << 20), path(str(tmp_path), size=2 << 20))
    maker = Maker()
    cache = tmp_path / "c"
    if enough:
        store_image(closure, cache_dir=cache, runner=maker, observe=ignore)
        return
    with pytest.raises(StoreError) as caught:
        store_image(closure, cache_dir=cache, runner=maker, observe=ignore)
    assert caught.value.message == (
        f"cannot write the machines' disk in {cache}: 3 MiB are needed and 2 MiB are free"
    )
    assert caught.value.hint == "free space there, or give another state directory"
    assert maker.commands == []


def test_an_image_that_failed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        store_image(
            (path(str(tmp_path)),), cache_dir=tmp_path / "c", runner=Maker(1), observe=ignore
        )
    assert caught.value.message == "mksquashfs failed with status 1"
    assert caught.value.hint == f"make space in {tmp_path}/c, or read the messages below"
    assert caught.value.details == ("one", "two")
    assert list((tmp_path / "c").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        store_image(
            (path(str(tmp_path)),), cache_dir=tmp_path / "file", runner=Maker(), observe=ignore
        )
    assert caught.value.message == (
        f"cannot write the machines' disk in {tmp_path}/file: File exists"
    )
