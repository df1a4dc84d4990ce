"""What tests of nixgen and of programs built on it may use."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable

from attrs import define, evolve, field, frozen

from nixgen.programs.command import Command, Completed

__all__ = ["Expectation", "ScriptedRunner"]


@frozen(kw_only=True)
class Expectation:
    """A command that is to come, and its outcome.

    :param argv: one `fnmatch` pattern per argument, case-sensitive; a last ``"..."`` stands for any
        further arguments.
    :param completed: what the command leaves behind, or an exception that it raises.
    """

    argv: tuple[str, ...]
    completed: Completed | Exception

    def matches(self, command: Command) -> bool:
        patterns, words = self.argv, command.argv
        if patterns and patterns[-1] == "...":
            patterns = patterns[:-1]
            words = words[: len(patterns)]
        return len(patterns) == len(words) and all(
            fnmatch.fnmatchcase(word, pattern)
            for word, pattern in zip(words, patterns, strict=True)
        )


@define
class ScriptedRunner:
    """A `Runner` that plays a script: commands must come in this order and no others.

    >>> runner = ScriptedRunner.of((("nix-store", "--version"), Completed(status=0)))
    >>> runner.run(Command(argv=("nix-store", "--version"))).ok
    True
    >>> runner.assert_finished()
    """

    _script: list[Expectation]
    commands: list[Command] = field(factory=list, init=False)

    @classmethod
    def of(cls, *steps: tuple[tuple[str, ...], Completed | Exception]) -> ScriptedRunner:
        return cls([Expectation(argv=argv, completed=completed) for argv, completed in steps])

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        if not self._script:
            raise AssertionError(f"unexpected command: {command}")
        expected = self._script.pop(0)
        if not expected.matches(command):
            raise AssertionError(f"expected {' '.join(expected.argv)}\n     got {command}")
        if isinstance(expected.completed, Exception):
            raise expected.completed
        return expected.completed

    def lines(
        self,
        command: Command,
        on_line: Callable[[bytes], None],
        *,
        on_output: Callable[[bytes], None] | None = None,
        on_tick: Callable[[int], None] | None = None,  # noqa: ARG002 - a script takes no time
    ) -> Completed:
        completed = self.run(command)
        for line in completed.stderr.splitlines():
            on_line(line)
        if on_output is None:
            return completed
        for line in completed.stdout.splitlines():
            on_output(line)
        return evolve(completed, stdout=b"")

    def assert_finished(self) -> None:
        """Every expected command has come."""
        if self._script:
            left = "\n".join(" ".join(step.argv) for step in self._script)
            raise AssertionError(f"commands that never came:\n{left}")
