"""The words and the output of ``nixgen inputs update``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.options import Debug, InputNames, Json, ProjectFolder, examples, verb
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.verbs.inputs import Update

app = verb()


@app.command(
    "update",
    epilog=examples("nixgen inputs update", "nixgen inputs update nixpkgs --to nixos-25.05"),
)
def update(
    names: InputNames = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REV",
            help="A commit of 40 digits, or what the input follows from now on: a branch or tag (for type git: refs/tags/NAME), "
            "the URL of a tarball, or a folder relative to flake-inputs.json.",
        ),
    ] = None,
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Pin the newest state of inputs: commits, contents of tarballs, Debian packages."""
    from nixgen.cli import console
    from nixgen.cli.progress import tracked
    from nixgen.cli.tracking import FetchTracker
    from nixgen.project.generate import write_generated
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.inputs import read_pins, require_updatable
    from nixgen.verbs.inputs import update as update_pin

    workspace = Workspace.open(project)
    pins = require_updatable(read_pins(workspace), names or (), to)
    done: list[Update] = []
    for pin in pins:
        with tracked(FetchTracker(pin.name), quiet=json) as observe:
            done.append(update_pin(workspace, pin, to=to, explicit=bool(names), observe=observe))
        if not json:
            _say_update(done[-1])
    if json:
        console.print_document(
            "nixgen/inputs-update/1", inputs={each.name: each.to_json() for each in done}
        )
    locked = all(pin.is_locked for pin in read_pins(workspace).pins.values())
    if any(each.changed for each in done) and locked and workspace.generated.exists():
        # the lock of the flake says the same; a project that is not generated yet stays so
        for path in write_generated(workspace).written:
            console.note(f"wrote   {workspace.generated.name}/{path}")
    _raise_for(done)


def _say_update(done: Update) -> None:
    from nixgen.cli import console
    from nixgen.verbs.inputs import described

    for package, (before, after) in done.packages.items():
        console.say(f"{package}: {before or 'new'} → {after or 'removed'}")
    if done.error is not None:
        console.say(f"{done.name}: not updated")
    elif done.packages:
        console.say(f"{done.name}: {counted(len(done.packages), 'package')} changed")
    elif done.changed:
        console.say(f"{done.name}: {described(done.before)} → {described(done.after)}")
    else:
        as_before = "" if "narHash" not in done.after and "path" in done.after else ", as before"
        console.say(f"{done.name}: {described(done.after)}{as_before}")


def _raise_for(done: Iterable[Update]) -> None:
    """Raise the errors of inputs that were not updated, as one.

    :raises NixgenError: at least one input was not updated.
    """
    from nixgen.errors import OutsideError

    errors = [(each.name, each.error) for each in done if each.error is not None]
    if len(errors) == 1:
        raise errors[0][1]
    if errors:
        raise OutsideError(
            f"{len(errors)} inputs were not updated",
            hint=errors[0][1].hint,
            details=[": ".join([error.message, *error.details[-1:]]) for _, error in errors],
        )
