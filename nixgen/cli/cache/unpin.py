"""``nixgen cache unpin``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli import options
from nixgen.errors import UsageError

app = options.verb()


@app.command("unpin", epilog=options.examples("nixgen cache unpin release-1 --cache s3://bucket"))
def unpin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A pin that `cache roots` shows.")],
    cache: options.CacheName = None,
    project: options.ProjectFolder = Path(),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Remove a pin. The next collections remove the paths that it alone kept."""
    from nixgen.cache.keep.roots import list_pins, remove_pin
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace

    with open_bucket(open_workspace(project, cache), cache) as bucket:
        if not remove_pin(bucket, name):
            known = ", ".join(pin.name for pin in list_pins(bucket))
            raise UsageError(
                f"the cache has no pin {name!r}",
                hint=f"it has {known}" if known else "it has no pins",
            )
    if json:
        console.print_document("nixgen/cache-unpin/1", name=name)
    else:
        console.say(f"unpinned {name}")
