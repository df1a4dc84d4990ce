"""``nixgen cache unpin``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.cache.pin import Of
from nixgen.cli.options import Debug, Json, ProjectFolder, examples, verb
from nixgen.errors import UsageError
from nixgen.records.document import document

app = verb()


@app.command("unpin", epilog=examples("nixgen cache unpin release-1 --cache s3://bucket"))
def unpin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One that `cache roots` shows.")],
    cache: Of = None,
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Let a pin go; what it alone kept, the next collections remove."""
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.keep.roots import list_pins, remove_pin
    from nixgen.cli import console
    from nixgen.cli._keys import open_workspace
    from nixgen.verbs import caches

    workspace = open_workspace(project, cache)
    with caches.cache_location(workspace, cache) as location, Bucket(location) as bucket:
        if not remove_pin(bucket, name):
            known = ", ".join(pin.name for pin in list_pins(bucket))
            raise UsageError(
                f"the cache has no pin {name!r}",
                hint=f"it has {known}" if known else "it has no pins",
            )
    if json:
        console.print_json(
            document(
                "nixgen/cache-unpin/1",
                name=name,
            )
        )
    else:
        console.say(f"unpinned {name}")
