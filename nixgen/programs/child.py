"""Start a child process in its own process group, and stop it.

`spawn` starts a child that runs beside nixgen, such as a server or QEMU. `nixgen.programs.runner`
runs a child to its end. `replace` turns this process into another program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, NoReturn, TypeAlias

from nixgen.errors import MissingToolError, OutsideError
from nixgen.programs.command import Command

__all__ = [
    "APT_PACKAGES",
    "GRACE_SECONDS",
    "missing_tool",
    "open_child",
    "remaining",
    "replace",
    "spawn",
    "stop",
]

GRACE_SECONDS = 5.0
"""The seconds between SIGTERM and SIGKILL."""

APT_PACKAGES = {
    "busybox": "busybox-static",
    "cryptsetup": "cryptsetup-bin",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "git": "git",
    "kubectl": "kubernetes-client",
    "mksquashfs": "squashfs-tools",
    "nix": "nix-bin",
    "podman": "podman",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "runc": "runc",
    "skopeo": "skopeo",
    "ssh": "openssh-client",
    "unsquashfs": "squashfs-tools",
}
"""Program → the Debian package that has it. Every ``nix-*`` program is in nix-bin."""

_Stream: TypeAlias = int | IO[bytes] | None


def missing_tool(program: str) -> MissingToolError:
    """The error of a program that is not installed. Its hint is the command that installs it.

    :param program: its name or path.
    """
    name = os.path.basename(program)  # noqa: PTH119 - a name, not a file
    package = "nix-bin" if name.startswith("nix-") else APT_PACKAGES.get(name)
    hint = (
        f"install it with: apt-get install {package}"
        if package
        else f"install {name} and put it on PATH"
    )
    return MissingToolError(f"{name} is not installed", hint=hint)


def open_child(
    command: Command, *, stdin: _Stream, stdout: _Stream, stderr: _Stream
) -> subprocess.Popen[bytes]:
    """Start a child that the caller must `stop`. Prefer `spawn`, which does that.

    :param command: the program. Its ``stdin`` and ``deadline`` are ignored.
    :param stdin: as for `subprocess.Popen`.
    :param stdout: as for `subprocess.Popen`.
    :param stderr: as for `subprocess.Popen`.
    :raises MissingToolError: the program is not installed, or cannot be executed.
    :raises OutsideError: the working directory does not exist.
    """
    try:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env={**os.environ, **command.env},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            # Its own group: Ctrl-C on the terminal reaches nixgen alone, which stops the whole group.
            process_group=0,
        )
    except FileNotFoundError as error:
        if command.cwd is not None and not command.cwd.is_dir():
            raise OutsideError(
                f"cannot run {command.program}: no directory {command.cwd}",
                hint="create the directory, or give another one",
            ) from error
        raise missing_tool(command.program) from error
    except PermissionError as error:
        raise _not_executable(command.program, error) from error


def _not_executable(program: str, error: OSError) -> MissingToolError:
    return MissingToolError(
        f"{program} cannot be executed: {error.strerror}",
        hint="check the file's permissions and the mount it lies on",
    )


def stop(child: subprocess.Popen[bytes], *, grace: float = GRACE_SECONDS) -> None:
    """End the process group of a child: SIGTERM, then SIGKILL. Does nothing if the child has ended.

    Ctrl-C during the wait kills the group at once, and is raised again.

    :param child: the child.
    :param grace: the seconds between the two signals.
    """
    if child.poll() is not None:
        return
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(timeout=grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if child.poll() is None:
            _signal_group(child, signal.SIGKILL)
            child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The child has not been waited for, so its pid, which names the group, cannot be another's.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


@contextlib.contextmanager
def spawn(
    command: Command,
    *,
    stdin: _Stream = subprocess.DEVNULL,
    stdout: _Stream = subprocess.DEVNULL,
    stderr: _Stream = subprocess.DEVNULL,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a child until the block ends.

    :param command: the program. Its ``stdin`` and ``deadline`` are ignored.
    :param stdin: as for `subprocess.Popen`.
    :param stdout: as for `subprocess.Popen`.
    :param stderr: as for `subprocess.Popen`.
    :raises MissingToolError: the program is not installed, or cannot be executed.
    :raises OutsideError: the working directory does not exist.
    """
    child = open_child(command, stdin=stdin, stdout=stdout, stderr=stderr)
    try:
        yield child
    finally:
        stop(child)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def remaining(deadline: float | None) -> float | None:
    """The seconds until a deadline, at least zero; None without a deadline.

    :param deadline: a moment of `time.monotonic`.
    """
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def replace(command: Command) -> NoReturn:
    """Turn this process into another program, which keeps the terminal and the exit status.

    :param command: the program. Its ``stdin`` and ``deadline`` are ignored.
    :raises MissingToolError: the program is not installed, or cannot be executed.
    """
    environment = {**os.environ, **command.env}
    if command.cwd is not None:
        os.chdir(command.cwd)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command.program, command.argv, environment)  # noqa: S606 - words, no shell
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing_tool(command.program) from error
    except OSError as error:
        raise _not_executable(command.program, error) from error
