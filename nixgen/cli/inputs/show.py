"""The words and the output of ``nixgen inputs show``."""

from __future__ import annotations

from pathlib import Path

from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb
from nixgen.errors import counted

app = verb()


@app.command("show", epilog=examples("nixgen inputs show"))
def show(project: ProjectFolder = Path(), json: Json = False, debug: Debug = False) -> None:
    """Show what the project is pinned to."""
    from nixgen.cli import console
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.inputs import DEBIAN, described, lock_summary, read_pins

    workspace = Workspace.open(project)
    pins = read_pins(workspace).pins
    summary = lock_summary(workspace)
    if json:
        console.print_document(
            "nixgen/inputs-report/1",
            inputs={name: {"type": pin.type, **pin.fields} for name, pin in pins.items()},
            debian=summary,
        )
        return
    console.print_table(
        ["input", "type", "from", "follows", "pinned to"],
        [
            (
                pin.name,
                pin.type,
                pin.origin.removeprefix("https://"),
                pin.fields.get("ref", ""),
                described(pin.fields),
            )
            for pin in pins.values()
        ],
    )
    for architecture, lock in summary.items():
        size = console.human_size(int(lock["size"]))
        console.say(
            f"{lock['suite']} {architecture}: {counted(int(lock['packages']), 'package')}, {size} to download at most"
        )
    if not summary and any(pin.type == DEBIAN for pin in pins.values()):
        console.say(
            "no Debian lock yet; the first `nixgen build` or `nixgen inputs update` writes it"
        )
