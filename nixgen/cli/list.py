"""The words and the output of ``nixgen list``."""

from __future__ import annotations

from pathlib import Path

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb

app = verb()


@app.command("list", epilog=examples("nixgen list", "nixgen list --json --project infra"))
def list_targets(project: ProjectFolder = Path(), json: Json = False, debug: Debug = False) -> None:
    """List the targets of the project."""
    from nixgen.cli import console
    from nixgen.project.workspace import Workspace

    workspace = Workspace.open(project)
    origins = workspace.target_origins()
    if json:
        rows = [{"attr": attr, "where": where} for attr, where in origins.items()]
        console.print_document("nixgen/targets/1", project=workspace.project.name, targets=rows)
    else:
        console.print_targets(origins)
