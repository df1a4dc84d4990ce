"""An S3 for people without one: an emulator on loopback, owned by a ``with`` block."""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.serve.emulator import installed
from nixgen.errors import CacheError, MissingToolError, UsageError
from nixgen.files.write import write_atomically
from nixgen.programs.child import spawn
from nixgen.programs.command import Command

__all__ = ["announced", "embedded_s3", "served_at"]

_START_SECONDS = 60.0


@contextlib.contextmanager
def embedded_s3(
    directory: Path | None = None, *, bucket: str = "nixgen-cache"
) -> Iterator[CacheLocation]:
    """A running S3 emulator with one bucket; gone at the end of the block, or with this process.

    :param directory: keeps the objects from one run to the next, as ``<bucket>/<key>``; without it they
        live in memory and end with the block.
    :raises MissingToolError: the extra ``emulator`` is not installed.
    :raises CacheError: it does not start, or the directory cannot be made.
    """
    if not installed():
        raise MissingToolError(
            "the S3 emulator is not installed",
            hint="install it with: pip install 'nixgen[emulator]'",
        )
    argv = [sys.executable, "-m", "nixgen.cache.serve.emulator", "0"]
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(
                f"cannot make {directory}: {error.strerror}", hint="give another directory"
            ) from error
        argv.append(str(directory.resolve()))
    with (
        tempfile.TemporaryFile() as log,
        spawn(
            Command(argv=tuple(argv)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as child,
    ):
        listens = _port(child)
        if listens is None:
            log.seek(0)
            raise CacheError(
                "the S3 emulator does not start",
                hint="the lines below say why; one emulator may be running already",
                details=log.read().decode("utf-8", "replace").splitlines()[-10:],
            )
        location = CacheLocation.embedded(f"http://127.0.0.1:{listens}", bucket)
        first = Bucket(location, connections=1)
        try:
            first.create()
        finally:
            first.close()
        yield location


#: Beside the objects of an emulator that is being served: its address.
_ADDRESS = ".served-at"


@contextlib.contextmanager
def announced(directory: Path, location: CacheLocation) -> Iterator[None]:
    """For the length of the block, let `served_at` find the emulator that keeps its objects in ``directory``."""
    file = directory / _ADDRESS
    write_atomically(file, str(location).encode())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def served_at(directory: Path) -> CacheLocation | None:
    """The emulator that another process serves ``directory`` with; None when none answers."""
    try:
        location = CacheLocation.parse((directory / _ADDRESS).read_text())
        address = urlsplit(location.endpoint or "")
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=1):
            return location
    except (OSError, UsageError):
        return None


def _port(child: subprocess.Popen[bytes]) -> int | None:
    """The port that the child prints once it listens; None when it ends or hangs instead."""
    assert child.stdout is not None  # noqa: S101 - opened as a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(_START_SECONDS):
            return None
    line = child.stdout.readline().strip()
    return int(line) if line.isdigit() else None
