"""The words and the output of ``nixgen inputs check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.cli.options import Debug, InputNames, Json, ProjectFolder, examples, verb

if TYPE_CHECKING:
    from nixgen.verbs.inputs import Checked

app = verb()


@app.command("check", epilog=examples("nixgen inputs check", "nixgen inputs check debian"))
def check(
    names: InputNames = None,
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch every pin anew, and compare it with its hash.

    The Debian lock is compared with the packages of the project, and flake.lock with the pins.
    """
    from nixgen.cli import console
    from nixgen.cli.progress import tracked
    from nixgen.cli.tracking import FetchTracker
    from nixgen.errors import OutsideError, StaleError
    from nixgen.project.workspace import Workspace
    from nixgen.records.structure import to_json
    from nixgen.verbs.inputs import check as check_pin
    from nixgen.verbs.inputs import check_flake, read_pins, require_updatable

    workspace = Workspace.open(project)
    pins = require_updatable(read_pins(workspace), names or (), None)
    done: list[Checked] = []
    width = max(len(name) for name in ("flake", *(pin.name for pin in pins)))
    for pin in pins:
        with tracked(FetchTracker(pin.name), quiet=json) as observe:
            done.append(check_pin(workspace, pin, observe=observe))
        if not json:
            console.print_checked(done[-1], width)
    if not names and all(pin.is_locked for pin in pins) and (flake := check_flake(workspace)):
        done.append(flake)
        if not json:
            console.print_checked(flake, width)
    if json:
        console.print_document("nixgen/inputs-check/1", inputs=to_json(done))
    states = [each.state for each in done]
    if "unreachable" in states:
        raise OutsideError(
            f"{states.count('unreachable')} of {len(states)} could not be checked",
            hint="check the network, and run it again",
        )
    if count := states.count("differs"):
        predicate = "is not what it should be" if count == 1 else "are not what they should be"
        raise StaleError(f"{count} of {len(states)} {predicate}")
