"""A command as a value, and its result.

Pure functions make commands, as in `nixgen.driver.commands.nix`. Only a
`nixgen.programs.runner.Runner` runs them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from attrs import field, frozen

__all__ = ["Command", "Completed"]


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def _argv(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        msg = "a command needs at least a program"
        raise ValueError(msg)
    return value


@frozen(kw_only=True)
class Command:
    """A program with its arguments, environment and input.

    :param argv: the program, by its name on PATH or its path, and its arguments. No shell reads
        them.
    :param env: additions to the environment.
    :param cwd: the working directory; None for that of this process.
    :param stdin: bytes for standard input; None for no input.
    :param deadline: the seconds after which the child is stopped; None for no limit.
    """

    argv: tuple[str, ...] = field(converter=_argv)
    env: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping, hash=False)
    cwd: Path | None = None
    stdin: bytes | None = field(default=None, repr=False)
    deadline: float | None = None

    @property
    def program(self) -> str:
        """The program: the first word."""
        return self.argv[0]

    def __str__(self) -> str:
        """The command as a shell line. The environment is left out, because it may hold secrets."""
        return shlex.join(self.argv)


@frozen(kw_only=True)
class Completed:
    """The result of a child that has ended.

    :param status: the exit status; ``-N`` if the signal N ended it.
    :param stdout: the standard output.
    :param stderr: the standard error; after `Runner.lines`, only its last lines.
    """

    status: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the exit status is 0."""
        return self.status == 0

    @property
    def text(self) -> str:
        """The standard output as text. Bytes that are not UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    def stderr_tail(self, lines: int = 25) -> tuple[str, ...]:
        """The last lines of the standard error.

        :param lines: the most lines.
        """
        return tuple(self.stderr.decode("utf-8", "replace").splitlines()[-lines:])
