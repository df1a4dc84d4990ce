"""``nixgen cache serve``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Debug, verb

app = verb()


@app.command("serve")
def serve(
    cache: Annotated[
        str | None,
        typer.Argument(metavar="[CACHE]", help="The cache to serve over HTTP.", show_default=False),
    ] = None,
    embedded: Annotated[
        Path | None,
        typer.Option(
            "--embedded",
            metavar="DIR",
            help="Run an S3 emulator, and serve its cache.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 8040,
    debug: Debug = False,
) -> None:
    """Serve a cache over HTTP, for any Nix, until interrupted."""
    from nixgen.cache.serve import serve_until_interrupted
    from nixgen.cli import console

    serve_until_interrupted(cache, embedded=embedded, host=host, port=port, announce=console.note)
