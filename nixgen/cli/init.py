"""The words and the output of ``nixgen init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Json, examples, verb

app = verb()


@app.command("init", epilog=examples("nixgen init hello"))
def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder of the new project. Default: the current folder.",
            show_default=False,
        ),
    ] = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Start a project that builds as it stands."""
    from nixgen.cli import console
    from nixgen.verbs.init import scaffold

    written = scaffold(folder)
    if json:
        console.print_document("nixgen/init/1", folder=str(folder), written=list(written))
        return
    for path in written:
        console.say(f"wrote   {folder / path}")
    where = "" if folder == Path() else f"cd {folder} && "
    console.note(f"\nnext: {where}nixgen build")
