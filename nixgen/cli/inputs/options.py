"""The words and the output of ``nixgen inputs options``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.options import Debug, Json, OverrideInput, ProjectFolder, examples, verb
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.options import Stub

app = verb()


@app.command(
    "options", epilog=examples("nixgen inputs options", "nixgen inputs options nginx enable")
)
def options(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORD",
            help="Read nothing, and list the known options whose paths have these words.",
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Read the options.json of NixOS's documentation instead of the pinned nixpkgs.",
        ),
    ] = None,
    override_input: OverrideInput = None,
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Read the options of NixOS into nixos-options.json, against which infra.py is then checked."""
    from nixgen.cli.progress import working
    from nixgen.errors import UsageError
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import options

    workspace = Workspace.open(project, check_options=False)
    if words:
        if source or override_input:
            raise UsageError(
                "words search the list of options that was read before",
                hint="leave them out to read the options, then look",
            )
        _find(workspace, words, json=json)
        return
    if source is None:
        overrides = workspace.overrides(override_input)
        with working("evaluating the options of NixOS", quiet=json):
            stub = options.read_tree(workspace, overrides=overrides, debug=debug)
    elif override_input:
        raise UsageError(
            "--from and --override-input are two places to read from", hint="give one of them"
        )
    else:
        stub = options.read_documentation(source)
    _write(workspace, stub, json=json)


def _write(workspace: Workspace, stub: Stub, *, json: bool) -> None:
    from nixgen.cli import console

    path = workspace.options.path
    changed = workspace.options.write(stub)
    source = stub.provenance
    if json:
        console.print_document(
            "nixgen/options-report/1",
            file=path.name,
            changed=changed,
            options=stub.count,
            release=source.release,
            pin=source.pin,
            complete=source.complete,
            modules=dict(source.modules),
        )
        return
    release = f" of NixOS {source.release}" if source.release else ""
    console.say(
        f"{'wrote  ' if changed else 'same   '} {path.name}: {counted(stub.count, 'option')}{release}"
    )
    refused = len(workspace.options.problems)
    if refused:
        console.note(
            f"infra.py sets {refused} option{'' if refused == 1 else 's'} that it refuses; see: nixgen generate"
        )


def _find(workspace: Workspace, words: list[str], *, json: bool) -> None:
    from nixgen.cli import console
    from nixgen.verbs.options import find

    found = list(find(workspace, words))
    if json:
        console.print_document(
            "nixgen/options-found/1",
            options=[{"option": match.option, "type": match.type} for match in found],
        )
        return
    console.print_options((match.option, match.type) for match in found)
    if not found:
        console.note(f"no option has {' and '.join(words)} in its path")
