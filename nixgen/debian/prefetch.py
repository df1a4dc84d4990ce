"""Bring packages into the store before Nix asks for them.

Nix can fetch them, too, but from one mirror alone, as few at a time as it builds, and without a
least rate: it would wait for hours for a mirror that sends a byte a second.
"""

from __future__ import annotations

import collections
import queue
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from attrs import frozen

from nixgen.debian.download import AbsentError, save_verified
from nixgen.debian.lock import Locked
from nixgen.debian.mirrors import Mirrors
from nixgen.errors import StoreError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner

__all__ = ["Received", "prefetch"]

_AT_ONCE = 8
_SECONDS = 600


@frozen(kw_only=True)
class Received:
    """The progress of `prefetch`.

    :param done: packages that are complete.
    :param wanted: packages in all.
    :param received: bytes so far.
    :param size: bytes in all.
    """

    done: int
    wanted: int
    received: int
    size: int


def prefetch(
    packages: Iterable[tuple[str, Locked]],
    mirrors: Mirrors,
    runner: Runner,
    *,
    observe: Callable[[Received], object],
) -> None:
    """Download packages, several at a time, and add them to the store.

    A package that no mirror has as it was locked is left out.

    :param packages: each package, after the name that its file has in the store.
    :param mirrors: the mirrors; each package is asked for at one after the other.
    :param runner: runs Nix.
    :param observe: gets the progress, a few times a second.
    :raises MirrorError: the mirrors do not answer, or are too slow to wait for.
    :raises StoreError: the store does not accept a package.
    """
    # the largest first, so that at the end no thread waits long for another one
    wanted = sorted(packages, key=lambda each: -each[1].size)
    size = sum(package.size for _, package in wanted)
    sizes = [0] * len(wanted)
    waiting = collections.deque(enumerate(wanted))
    with tempfile.TemporaryDirectory(prefix="nixgen-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        results: queue.SimpleQueue[tuple[Path, BaseException | None]] = queue.SimpleQueue()

        def work() -> None:
            while waiting:
                try:
                    index, (name, package) = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                # packages of two architectures have the same name
                path = folder / str(index) / name
                error: BaseException | None = None
                try:
                    path.parent.mkdir()
                    with path.open("w+b") as file:
                        save_verified(
                            mirrors,
                            package,
                            file,
                            what=name,
                            tell=partial(sizes.__setitem__, index),
                        )
                except BaseException as raised:  # noqa: BLE001 - raised again in the caller's thread
                    error = raised
                results.put((path, error))

        # Daemons: after Ctrl-C nobody waits for a mirror that is silent.
        for _ in range(min(_AT_ONCE, len(wanted))):
            threading.Thread(target=work, name="debian-download", daemon=True).start()
        try:
            ended = 0
            while ended < len(wanted):
                complete = []
                for path, error in _several(results):
                    ended += 1
                    if error is None:
                        complete.append(path)
                    elif not isinstance(error, AbsentError):
                        raise error
                if complete:
                    _add(complete, runner)
                received = sum(sizes)
                observe(Received(done=ended, wanted=len(wanted), received=received, size=size))
        finally:
            waiting.clear()


def _several(
    results: queue.SimpleQueue[tuple[Path, BaseException | None]],
) -> list[tuple[Path, BaseException | None]]:
    """All results that there are, after waiting a moment for the first."""
    found = []
    try:
        found.append(results.get(timeout=0.2))
        while True:
            found.append(results.get_nowait())
    except queue.Empty:
        return found


def _add(files: list[Path], runner: Runner) -> None:
    argv = ("nix-store", "--add-fixed", "sha256", *map(str, files))
    done = runner.run(Command(argv=argv, deadline=_SECONDS))
    if not done.ok:
        raise StoreError(
            f"the Nix store did not take {files[0].name}",
            hint="check that the store is writable and has space; `nixgen doctor` says what is missing",
            details=done.stderr_tail(5),
        )
    for file in files:
        file.unlink()
