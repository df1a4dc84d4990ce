"""The words and the output of ``nixgen fmt``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb

if TYPE_CHECKING:
    from nixgen.verbs.fmt import Report

app = verb()


@app.command("fmt", epilog=examples("nixgen fmt", "nixgen fmt --check modules"))
def fmt(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="Files or folders; - is standard input. Default: all Nix files of the project that are neither "
            "generated nor ignored by git.",
        ),
    ] = None,
    project: ProjectFolder = Path(),
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Change nothing; print a diff and exit with 1 when a file is not formatted.",
        ),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Format hand-written Nix files with nixfmt, as RFC 166 asks."""
    from nixgen.cli import console
    from nixgen.verbs.fmt import format_project, format_text

    if files and "-" in files:
        _require_alone(files, json=json)
        report = format_text(sys.stdin.buffer.read())
        _print_text(report, check=check)
    else:
        report = format_project(project, files or (), write=not check)
        if json:
            console.print_json(report.document())
        else:
            _print(report, check=check)
    report.require(check=check)


def _require_alone(files: Sequence[str], *, json: bool) -> None:
    from nixgen.errors import UsageError

    if len(files) > 1:
        raise UsageError("- is standard input, and cannot stand beside files")
    if json:
        raise UsageError("- prints the formatted text, and no document", hint="leave --json out")


def _print_text(report: Report, *, check: bool) -> None:
    from nixgen.cli import console
    from nixgen.verbs.fmt import Formatted

    for result in report.results:
        if isinstance(result, Formatted):
            if check:
                console.print_diff(result.difference())
            else:
                console.print_text(result.after.decode())


def _print(report: Report, *, check: bool) -> None:
    from nixgen.cli import console

    for each in report.changed:
        if check:
            console.print_diff(each.difference())
        else:
            console.say(f"formatted {each.name}")
    count = len(report.results)
    if not count:
        console.say("there are no hand-written Nix files")
    elif not report.changed and not report.rejected:
        console.say(f"{count} hand-written Nix file{'s are' if count > 1 else ' is'} formatted")
