"""The words and the output of ``nixgen descriptor check|write``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb
from nixgen.errors import counted

app = verb(
    "Read and write machine.json, the machines of a cluster on EC2.",
    epilog=examples("nixgen descriptor check machine.json"),
)


@app.command("check", epilog=examples("nixgen descriptor check machine.json"))
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The descriptor.", show_default=False)
    ] = Path("machine.json"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Check a descriptor: list everything that is wrong with it, or else its machines."""
    from nixgen.cli import console
    from nixgen.verbs.descriptor import descriptor, read_descriptor, rows

    machines, clusters = read_descriptor(file, folder=Path.cwd())
    if json:
        console.print_json(descriptor(machines, clusters))
        return
    console.print_table(
        ["machine", "role", "joined", "instance", "subnet", "address"],
        rows(machines, clusters),
    )
    console.say(f"{file}: {counted(len(machines), 'machine')}, nothing wrong")


@app.command("write", epilog=examples("nixgen descriptor write machine.json"))
def write(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="File to write. Default: standard output."),
    ] = None,
    project: ProjectFolder = Path(),
    debug: Debug = False,
) -> None:
    """Write the descriptor of the project's machines."""
    from nixgen.cli import console
    from nixgen.files.write import write_atomically
    from nixgen.project.workspace import Workspace
    from nixgen.records.document import to_text
    from nixgen.verbs.descriptor import descriptor

    described = Workspace.open(project).project
    document = descriptor(described.machines, described.clusters)
    if file is None:
        console.print_json(document)
        return
    write_atomically(file.absolute(), to_text(document).encode())
    console.say(f"wrote   {file}")
