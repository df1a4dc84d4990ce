"""``nixgen inputs show|update``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Json, ProjectFolder, verb

app = verb("Show and update the pins and the Debian lock.")


@app.command("show")
def show(project: ProjectFolder = Path(), json: Json = False, debug: Debug = False) -> None:
    """What the project is pinned to."""
    from nixgen.cli import console
    from nixgen.pins import lock_summary
    from nixgen.workspace import Workspace

    workspace = Workspace.open(project)
    pins = workspace.inputs.pins
    summary = lock_summary(workspace)
    if json:
        console.print_json(
            {
                "schema": "nixgen/inputs-report/1",
                "inputs": {name: {"type": pin.type, **pin.fields} for name, pin in pins.items()},
                "debian": summary,
            }
        )
        return
    console.print_table(
        "",
        ["input", "type", "pinned to"],
        [(pin.name, pin.type, pin.version) for pin in pins.values()],
    )
    for architecture, lock in summary.items():
        size = console.human_size(int(lock["size"]))
        console.say(
            f"{lock['suite']} {architecture}: {lock['packages']} packages, {size} to download at most"
        )
    if not summary:
        console.say(
            "no Debian lock yet; the first `nixgen build` or `nixgen inputs update` writes it"
        )


@app.command("update")
def update(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="The input to update.", show_default=False)
    ] = "debian",
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Resolve the Debian packages again, to the newest that the mirror has, and write the lock."""
    from nixgen.cli import console
    from nixgen.pins import update as update_pin
    from nixgen.workspace import Workspace

    workspace = Workspace.open(project)
    changes = update_pin(workspace, name, console.note)
    if json:
        console.print_json({"schema": "nixgen/lock-changes/1", "changes": changes})
        return
    for package, (before, after) in changes.items():
        console.say(f"{package}: {before or 'new'} → {after or 'removed'}")
    console.say(
        f"{len(changes)} packages changed" if changes else "nothing to update: the lock is current"
    )
