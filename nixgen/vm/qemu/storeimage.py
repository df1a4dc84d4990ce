"""The closure of a test as one read-only disk, which all its machines share.

The disk is a squashfs, not 9p or virtiofs: that needs no daemon and no root, all machines share the
host's page cache, and the bytes are the same on every host. It is not compressed, because under
emulation the guest's decompression takes longer than the host's disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from nixgen.errors import StoreError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.vm.record.events import Observer, StoreImageReady
from nixgen.vm.spec import ClosurePath

__all__ = ["closure_hash", "mksquashfs_command", "store_image"]

_KEEP = 4
_DEADLINE_SECONDS = 900.0


def closure_hash(closure: Iterable[ClosurePath]) -> str:
    """The key of a closure: 32 hex digits that follow from its paths and their contents.

    :param closure: the paths, in any order.
    """
    lines = sorted(f"{path.path} {path.nar_hash}\n" for path in closure)
    # The first line is to change with the layout of the image.
    return hashlib.sha256("".join(["nixgen squashfs 1\n", *lines]).encode()).hexdigest()[:32]


def mksquashfs_command(sources: Iterable[str], target: Path) -> Command:
    """The command that makes an image. Its bytes do not depend on the host or the time.

    :param sources: the paths; the image has each at its top, under its last name.
    :param target: the image.
    """
    return Command(
        argv=(
            "mksquashfs",
            *sorted(sources),
            str(target),
            *("-keep-as-directory", "-noappend", "-no-progress", "-no-xattrs"),
            *("-noI", "-noId", "-noD", "-noF", "-noX"),
            *("-all-root", "-root-mode", "755"),
        ),
        # All times become 1, as in the Nix store. mksquashfs refuses its options of the same meaning
        # beside this variable, which the environment may have.
        env={"SOURCE_DATE_EPOCH": "1"},
        deadline=_DEADLINE_SECONDS,
    )


def store_image(
    closure: tuple[ClosurePath, ...], *, cache_dir: Path, runner: Runner, observe: Observer
) -> Path:
    """The image of a closure. It is made unless it exists.

    An image has its name only when it is complete. The four newest images are kept.

    :param closure: the paths.
    :param cache_dir: folder of the images.
    :param runner: runs mksquashfs.
    :param observe: receives `StoreImageReady`.
    :returns: path of the image.
    :raises StoreError: a path of the closure is missing, or the disk is full or read-only.
    :raises MissingToolError: squashfs-tools are not installed.
    """
    started = time.monotonic()
    target = cache_dir / f"{closure_hash(closure)}.squashfs"
    cached = target.exists()
    try:
        if cached:
            os.utime(target)  # the newest images are kept
        else:
            cache_dir.mkdir(parents=True, exist_ok=True)
            _build(closure, target, runner)
            _prune(cache_dir, keep=target)
        size = target.stat().st_size
    except OSError as error:
        raise _cannot_write(cache_dir, error.strerror or str(error)) from error
    observe(
        StoreImageReady(
            paths=len(closure), size=size, seconds=time.monotonic() - started, cached=cached
        )
    )
    return target


def _build(closure: tuple[ClosurePath, ...], target: Path, runner: Runner) -> None:
    absent = [path.path for path in closure if not os.path.lexists(path.path)]
    if absent or not closure:
        raise StoreError(
            f"{len(absent)} store paths of the test are missing" if closure else "empty closure",
            hint="build the test again: nixgen build tests.NAME",
            details=absent[:10],
        )
    needed = sum(path.nar_size for path in closure)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise _cannot_write(
            target.parent, f"{needed >> 20} MiB are needed and {free >> 20} MiB are free"
        )
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        done = runner.run(mksquashfs_command((path.path for path in closure), unfinished))
        if not done.ok:
            raise StoreError(
                f"mksquashfs failed with status {done.status}",
                hint=f"make space in {target.parent}, or read the messages below",
                details=done.stderr_tail(),
            )
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _prune(cache_dir: Path, *, keep: Path) -> None:
    images = sorted(cache_dir.glob("*.squashfs"), key=lambda file: file.stat().st_mtime)
    for file in images[:-_KEEP]:
        if file != keep:
            # Another run may have removed it. A run that has it open can still read it.
            with contextlib.suppress(OSError):
                file.unlink()


def _cannot_write(directory: Path, why: str) -> StoreError:
    return StoreError(
        f"cannot write the machines' disk in {directory}: {why}",
        hint="free space there, or give another state directory",
    )
