"""The words and the output of ``nixgen generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb

app = verb()


@app.command("generate", epilog=examples("nixgen generate", "nixgen generate --check"))
def generate(
    project: ProjectFolder = Path(),
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; print a diff and exit with 1 when generated/ is stale."
        ),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write generated/ from infra.py; --check only compares."""
    from nixgen.cli import console
    from nixgen.errors import StaleError
    from nixgen.project.generate import difference, plan_generated, write_generated
    from nixgen.project.workspace import Workspace

    workspace = Workspace.open(project)
    console.print_notes(workspace.notes())
    changes = plan_generated(workspace)
    if json:
        console.print_document(
            "nixgen/generate/1",
            written=sorted(changes.written),
            removed=list(changes.removed),
            kept=list(changes.kept),
            stale=changes.stale,
        )
    if check:
        if changes.stale:
            if not json:
                console.print_diff(difference(changes))
            raise StaleError(
                f"generated/ is stale: {len(changes.written)} to write, {len(changes.removed)} to remove",
                hint="run `nixgen generate` and commit the result",
            )
        if not json:
            console.say("generated/ is up to date")
        return
    write_generated(workspace, changes)
    if not json:
        console.print_generated(changes)
