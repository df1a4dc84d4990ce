"""``nixgen cache pin``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli import options

app = options.verb()


@app.command(
    "pin", epilog=options.examples("nixgen cache pin release-1 machines.web --cache s3://bucket")
)
def pin(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the pin, such as release-1.0.")
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET|STORE_PATH",
            help="Targets that were pushed, or store paths. Default: all targets of the newest generation.",
        ),
    ] = None,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="The reason, for other people.")
    ] = "",
    cache: options.CacheName = None,
    env: options.Env = None,
    generation: Annotated[
        str | None,
        typer.Option(
            "--generation",
            metavar="GENERATION",
            help="A generation that `cache roots` shows. Default: for each target the newest.",
        ),
    ] = None,
    project: options.ProjectFolder = Path(),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Keep paths of a cache from collection, under a name."""
    from nixgen.cache.keep.pins import pin_paths, recorded_paths
    from nixgen.cache.keep.roots import PIN_FORMAT
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace

    paths = [text for text in what or () if text.startswith("/")]
    targets = [text for text in what or () if not text.startswith("/")]
    workspace = open_workspace(project, cache)
    with open_bucket(workspace, cache) as bucket:
        if targets or not paths:
            paths += recorded_paths(bucket, targets, environment=env, generation=generation)
        made = pin_paths(bucket, name, paths, note=note)
    if json:
        console.print_json(PIN_FORMAT.document(made))
        return
    for path in made.paths:
        console.say(path)
    console.note(f"pinned as {name}, until: nixgen cache unpin {name}")
