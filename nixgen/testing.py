"""Helpers for tests of nixgen, and for tests of programs built on it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable

from attrs import define, evolve, field, frozen

from nixgen.programs.command import Command, Completed

__all__ = ["Expectation", "ScriptedRunner"]


@frozen(kw_only=True)
class Expectation:
    """An expected command and its outcome.

    :param argv: Patterns of `fnmatch`, one for each argument, case-sensitive. A last ``"..."``
        stands for any further arguments.
    :param completed: Result that the runner returns, or exception that it raises.
    """

    argv: tuple[str, ...]
    completed: Completed | Exception

    def matches(self, command: Command) -> bool:
        """Tell if the arguments of a command match the patterns.

        :param command: Command to compare.
        """
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
    """A `Runner` that plays a script: only the expected commands may run, in their order. Any other
    command raises AssertionError.

    :param script: Expected commands. `ScriptedRunner.of` makes them from pairs.

    >>> runner = ScriptedRunner.of((("nix-store", "--version"), Completed(status=0)))
    >>> runner.run(Command(argv=("nix-store", "--version"))).ok
    True
    >>> runner.assert_finished()
    """

    _script: list[Expectation]
    commands: list[Command] = field(factory=list, init=False)

    @classmethod
    def of(cls, *steps: tuple[tuple[str, ...], Completed | Exception]) -> ScriptedRunner:
        """Make a runner from pairs.

        :param steps: Pairs of patterns and outcome, as in `Expectation`, in the order of commands.
        """
        return cls([Expectation(argv=argv, completed=completed) for argv, completed in steps])

    def run(self, command: Command) -> Completed:
        """Play the next step of the script.

        :param command: Command that the code under test runs; it is kept in ``commands``.
        :raises AssertionError: the script has ended, or expects another command.
        """
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
        """Play the next step of the script, and pass its output on by lines.

        :param command: Command that the code under test runs.
        :param on_line: Function that takes each line of standard error.
        :param on_output: Function that takes each line of standard output. None (the default)
            leaves the output in the result.
        :param on_tick: Function of a real runner's clock. It is never called, because a script
            takes no time.
        """
        completed = self.run(command)
        for line in completed.stderr.splitlines():
            on_line(line)
        if on_output is None:
            return completed
        for line in completed.stdout.splitlines():
            on_output(line)
        return evolve(completed, stdout=b"")

    def assert_finished(self) -> None:
        """Check that every expected command has run.

        :raises AssertionError: some have not.
        """
        if self._script:
            left = "\n".join(" ".join(step.argv) for step in self._script)
            raise AssertionError(f"commands that never came:\n{left}")
