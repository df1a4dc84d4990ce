"""``nixgen cache serve``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import CACHE_HELP, Debug, ProjectFolder, examples, verb

app = verb()


@app.command("serve", epilog=examples("nixgen cache serve s3://bucket"))
def serve(
    cache: Annotated[str | None, typer.Argument(metavar="CACHE", help=CACHE_HELP)] = None,
    project: ProjectFolder = Path(),
    embedded: Annotated[
        Path | None,
        typer.Option(
            "--embedded",
            metavar="DIR",
            help="Run an S3 emulator that keeps its objects in this folder, and serve its cache.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on. With 0.0.0.0 other computers may read the cache."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8040,
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            "--public-key",
            metavar="KEY",
            help="Public key that users are shown. May be repeated. Default: the project's own key.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print a line for each request.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Serve a cache over HTTP, for any Nix, until interrupted."""
    from nixgen.cache.format.signing import PublicKey
    from nixgen.cache.serve.http import serve_until_interrupted
    from nixgen.cli import console
    from nixgen.project.workspace import Workspace

    keys = [str(PublicKey.parse(text)) for text in public_key or ()]
    if (cache is None and embedded is None) or (cache is not None and "://" not in cache):
        workspace = Workspace.open(project)
        if cache is None:
            embedded = workspace.state / "s3"
        elif model := workspace.cache(cache):
            cache = model.address
    own = project / ".nixgen" / "cache.key.pub"
    if not keys and own.exists():
        keys.append(str(PublicKey.parse(own.read_text())))
    serve_until_interrupted(
        cache,
        embedded=embedded,
        host=host,
        port=port,
        announce=console.note,
        public_keys=keys,
        verbose=verbose,
    )
