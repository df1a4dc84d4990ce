"""The console script. It answers ``--version``, ``--help`` and runs with nothing to do itself.

Nothing heavy is imported for these answers; see `nixgen.instant`.
"""

from __future__ import annotations

import os
import sys

from nixgen.cli import streams

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process, and exit."""
    streams.prepare()
    try:
        status = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while still loading
        status = streams.print_interrupted()
    sys.exit(streams.finish(status))


def _run(arguments: list[str]) -> int:
    shell = os.environ.get("_NIXGEN_COMPLETE")
    if shell is not None:
        from nixgen.instant.completion import answer

        answer(shell, arguments)
        return 0
    if arguments == ["--version"]:
        from nixgen import __version__

        print(f"nixgen {__version__}")
        return 0
    if arguments and arguments[0] == "help":
        arguments = [*arguments[1:], "--help"]
    if arguments in ([], ["--help"], ["-h"]):
        # the text that typer would print, kept equal by tests/unit/cli/test_cli.py
        with open(__file__.removesuffix("entry.py") + "help.txt", encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs more than the rest of this
            print(file.read(), end="")
        return 0
    if arguments[0] in {"--show-completion", "--install-completion"}:
        # the options that typer gives its applications, and people try
        install = ["--install"] * (arguments[0] == "--install-completion")
        arguments = ["completion", *install, *arguments[1:]]
    if arguments[0] == "build":
        from nixgen.instant.answer import nothing_to_do

        if nothing_to_do(arguments[1:]):
            return 0
    if arguments[:2] == ["cache", "push"]:
        from nixgen.instant.answer import nothing_to_push

        if nothing_to_push(arguments[2:]):
            return 0
    from nixgen.cli.app import run

    return run(arguments)
