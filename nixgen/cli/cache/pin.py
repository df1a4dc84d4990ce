"""``nixgen cache pin``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, Env, Json, ProjectFolder, examples, verb

app = verb()

Of = Annotated[
    str | None,
    typer.Option(
        "--cache",
        metavar="CACHE",
        envvar="NIXGEN_CACHE",
        help="Such as s3://bucket?region=eu-central-1, or a Cache of infra.py; the project's own S3 when not given.",
        show_default=False,
    ),
]


@app.command("pin", epilog=examples("nixgen cache pin release-1 machines.web --cache s3://bucket"))
def pin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as release-1.0.")],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET|STORE_PATH",
            help="All targets of the newest generation when none is given.",
            show_default=False,
        ),
    ] = None,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Why, for others.", show_default=False)
    ] = "",
    cache: Of = None,
    env: Env = None,
    generation: Annotated[
        str | None,
        typer.Option(
            "--generation",
            metavar="GENERATION",
            help="One that `cache roots` shows; the newest of each target when not given.",
            show_default=False,
        ),
    ] = None,
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Keep what is in a cache from collection, under a name."""
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.keep.pins import pin_paths, recorded_paths
    from nixgen.cache.keep.roots import PIN_FORMAT
    from nixgen.cli import console
    from nixgen.cli._keys import open_workspace
    from nixgen.verbs import caches

    paths = [text for text in what or () if text.startswith("/")]
    targets = [text for text in what or () if not text.startswith("/")]
    workspace = open_workspace(project, cache)
    with caches.cache_location(workspace, cache) as location, Bucket(location) as bucket:
        if targets or not paths:
            paths += recorded_paths(bucket, targets, environment=env, generation=generation)
        made = pin_paths(bucket, name, paths, note=note)
    if json:
        console.print_json(PIN_FORMAT.document(made))
        return
    for path in made.paths:
        console.say(path)
    console.note(f"pinned as {name}, until: nixgen cache unpin {name}")
