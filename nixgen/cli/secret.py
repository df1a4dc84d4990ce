"""The words and the output of ``nixgen secret scan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.cli import options
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.verbs.secret import SecretScan

app = options.verb(
    "Look for the values of secrets where everybody can read them.",
    epilog=options.examples("nixgen secret scan"),
)


@app.command("scan", epilog=options.examples("NIXGEN_SECRETS_DIR=secrets nixgen secret scan"))
def scan(
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    base: options.Base = "debian",
    env: options.Env = None,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build targets, and search their closures and build logs for the values of secrets.

    Values are read from each secret's own file, from NIXGEN_SECRETS_DIR/NAME and from
    CREDENTIALS_DIRECTORY/NAME. Every push searches what it uploads in the same way.
    """
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress
    from nixgen.errors import OutsideError
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import build
    from nixgen.verbs import secret as secret_verb

    workspace = Workspace.open(project)
    request = options.make_request(workspace, base=base, env=env, debug=debug)
    with build_progress(quiet=json, verbose=verbose) as observe:
        built = build.build(workspace, targets or (), request, observe=observe)
    found = secret_verb.scan(workspace, built.require().paths)
    console.print_report(found, _print, json=json)
    if found.error is not None:
        raise found.error
    if not found.searched and found.absent:
        raise OutsideError(
            "the value of no secret can be read here, so nothing was searched for",
            hint="put the values into a folder, each in a file of the secret's name, and name it in NIXGEN_SECRETS_DIR",
        )


def _print(found: SecretScan) -> None:
    from nixgen.cache.push.leaks import LEAST_LENGTH
    from nixgen.cli.console import human_size, note, say

    for name in found.absent:
        note(f"not searched for {name}: its value is not here; see NIXGEN_SECRETS_DIR in --help")
    for name in found.too_short:
        note(f"not searched for {name}: its value has fewer than {LEAST_LENGTH} bytes")
    if not found.searched:
        if not found.absent and not found.too_short:
            say("the project has no secrets")
        return
    say(
        f"searched {counted(found.paths, 'path')} ({human_size(found.nar_bytes)}) for {', '.join(found.searched)}: "
        f"{f'{len(found.leaks)} found' if found.leaks else 'nothing found'} ({found.seconds:.1f} s)"
    )
