"""``nixgen fmt``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Json, ProjectFolder, verb

app = verb()


@app.command("fmt")
def fmt(
    project: ProjectFolder = Path(),
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing; exit with 1 when a file is not formatted."),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Format hand-written Nix files."""
    from nixgen.cli import console
    from nixgen.driver.formatting import format_files, hand_written
    from nixgen.errors import StaleError

    files = hand_written(project.resolve())
    result = format_files(files, check=check)
    if json:
        console.print_json(
            {
                "schema": "nixgen/fmt/1",
                "formatter": result.formatter,
                "changed": [str(path) for path in result.changed],
                "checked": len(files),
            }
        )
    else:
        for path in result.changed:
            console.say(f"{'not formatted' if check else 'formatted'}: {path}")
        if not result.changed:
            console.say(f"{len(files)} hand-written Nix files, all formatted")
    if check and result.changed:
        raise StaleError(f"{len(result.changed)} files are not formatted", hint="run `nixgen fmt`")
