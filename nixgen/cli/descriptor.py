"""``nixgen descriptor check|show``"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb

if TYPE_CHECKING:
    from nixgen.models import Cluster, Machine

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
    from nixgen.documents.descriptor import descriptor, read_descriptor

    machines, clusters = read_descriptor(file, folder=Path.cwd())
    if json:
        console.print_json(descriptor(machines, clusters))
        return
    console.print_table(
        "",
        ["machine", "role", "joined", "instance", "subnet", "address"],
        _rows(machines, clusters),
    )
    console.say(f"{file}: {len(machines)} machines, nothing wrong")


def _rows(machines: Iterable[Machine], clusters: Iterable[Cluster]) -> Iterator[tuple[str, ...]]:
    from nixgen.models import members

    places = {member.machine: member for member in members(clusters)}
    for machine in machines:
        ec2, member = machine.ec2, places.get(machine)
        yield (
            machine.name,
            member.role if member else "",
            member.cluster.master.name if member and member.role == "worker" else "",
            ec2.instance_type if ec2 else "",
            ec2.subnet.id if ec2 else "",
            (ec2.address if ec2 else "") or "",
        )


@app.command("write", epilog=examples("nixgen descriptor write machine.json"))
def write(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="File to write. Default: standard output.", show_default=False
        ),
    ] = None,
    project: ProjectFolder = Path(),
    debug: Debug = False,
) -> None:
    """Write the descriptor of the project's machines."""
    from nixgen.cli import console
    from nixgen.documents.descriptor import descriptor
    from nixgen.files.write import write_atomically
    from nixgen.project.workspace import Workspace

    described = Workspace.open(project).project
    document = descriptor(described.machines, described.clusters)
    if file is None:
        console.print_json(document)
        return
    write_atomically(file.absolute(), console.json_text(document).encode())
    console.say(f"wrote   {file}")
