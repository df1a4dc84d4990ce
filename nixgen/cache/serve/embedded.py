"""An S3 emulator on loopback, for users without an S3 server. A ``with`` block owns it."""

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

__all__ = ["ADDRESS", "announced", "embedded_s3", "served_at"]

_START_SECONDS = 60.0


@contextlib.contextmanager
def embedded_s3(
    directory: Path | None = None, *, bucket: str = "nixgen-cache"
) -> Iterator[CacheLocation]:
    """Run an S3 emulator with one bucket until the end of the block, or of this process.

    :param directory: the folder for objects, as ``<bucket>/<key>``, which keeps them for the next
        run. None: they are in memory and end with the block.
    :param bucket: the name of the bucket.
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
        port = _port(child)
        if port is None:
            log.seek(0)
            raise CacheError(
                "the S3 emulator does not start",
                hint="the lines below say why; one emulator may be running already",
                details=log.read().decode("utf-8", "replace").splitlines()[-10:],
            )
        location = CacheLocation.embedded(f"http://127.0.0.1:{port}", bucket)
        with Bucket(location, connections=1) as made:
            made.create()
        yield location


ADDRESS = ".served-at"
"""The file beside the objects of a running emulator with its address."""


@contextlib.contextmanager
def announced(file: Path, text: str) -> Iterator[None]:
    """Let other processes find a text in a file for the length of the block; see `served_at`.

    :param file: the file to write, which is removed at the end.
    :param text: its content.
    """
    write_atomically(file, text.encode())
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def served_at(directory: Path) -> CacheLocation | None:
    """The address of the emulator that another process runs; None when none answers.

    :param directory: the folder of the emulator.
    """
    try:
        location = CacheLocation.parse((directory / ADDRESS).read_text())
        address = urlsplit(location.endpoint or "")
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=1):
            return location
    except (OSError, UsageError):
        return None


def _port(child: subprocess.Popen[bytes]) -> int | None:
    """The port that the child prints when it listens; None when it ends or hangs instead."""
    assert child.stdout is not None  # noqa: S101 - opened as a pipe
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(_START_SECONDS):
            return None
    line = child.stdout.readline().strip()
    return int(line) if line.isdigit() else None
