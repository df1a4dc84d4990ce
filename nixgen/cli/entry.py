"""The console script. Answers ``--version`` and ``--help`` before anything heavy is imported."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from nixgen import __version__

        print(f"nixgen {__version__}")
        return
    if arguments in ([], ["--help"], ["-h"], ["help"]):
        # the text that typer would print, kept equal by tests/unit/test_cli_help.py
        with open(__file__.removesuffix("entry.py") + "help.txt", encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs more than the rest of this
            print(file.read(), end="")
        return
    if arguments[0] == "build":
        from nixgen.cli.instant import nothing_to_do

        if nothing_to_do(arguments[1:]):
            return
    if arguments[:2] == ["cache", "push"]:
        from nixgen.cli.instant import nothing_to_push

        if nothing_to_push(arguments[2:]):
            return
    try:
        from nixgen.cli.app import run

        status = run(arguments)
    except KeyboardInterrupt:  # while still loading
        status = 130
    sys.exit(status)
