"""A command as a value: what would run, said before anything runs.

Builders (`nixgen.driver.commands.nix` and others) return these; only a `nixgen.programs.runner.Runner`
executes them.
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
    """A program and everything it is given.

    :param argv: the program (a name looked up on PATH, or a path) and its arguments; never a shell line.
    :param env: variables added to the caller's environment.
    :param cwd: working directory; the caller's when None.
    :param stdin: bytes for standard input; /dev/null when None.
    :param deadline: seconds after which the child is stopped; None waits for ever.
    """

    argv: tuple[str, ...] = field(converter=_argv)
    env: Mapping[str, str] = field(factory=dict, converter=_frozen_mapping, hash=False)
    cwd: Path | None = None
    stdin: bytes | None = field(default=None, repr=False)
    deadline: float | None = None

    @property
    def program(self) -> str:
        return self.argv[0]

    def __str__(self) -> str:
        """The command as a person could paste it; the environment is left out, it may hold secrets."""
        return shlex.join(self.argv)


@frozen(kw_only=True)
class Completed:
    """What a finished child left behind.

    :param status: exit status; ``-N`` when signal N ended it.
    :param stdout: everything written to standard output.
    :param stderr: everything written to standard error; its last lines only after `Runner.lines`.
    """

    status: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")

    def stderr_tail(self, lines: int = 25) -> tuple[str, ...]:
        return tuple(self.stderr.decode("utf-8", "replace").splitlines()[-lines:])
