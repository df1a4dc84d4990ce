"""``nixgen cache push|serve|keygen``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.options import Base, Debug, Env, Json, ProjectFolder, Targets, verb

if TYPE_CHECKING:
    from nixgen.workspace import Workspace

app = verb("Push to, serve and sign for a binary cache on S3.")

_To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="CACHE",
        envvar="NIXGEN_CACHE",
        help="Such as s3://bucket?region=eu-central-1; an S3 of the project's own when not given.",
        show_default=False,
    ),
]


@app.command("push")
def push(
    targets: Targets = None,
    project: ProjectFolder = Path(),
    to: _To = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Secret key to sign with; may be repeated.",
            show_default=False,
        ),
    ] = None,
    base: Base = "debian",
    env: Env = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be pushed.")
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build targets (or take store paths), and push their closures, signed."""
    from nixgen import pipeline
    from nixgen.cli.progress import build_progress
    from nixgen.workspace import Workspace

    paths = [target for target in targets or () if target.startswith("/")]
    names = [target for target in targets or () if not target.startswith("/")]
    workspace = Workspace.open(project)
    if names or not paths:
        with build_progress(quiet=json) as observe:
            built = pipeline.build(
                workspace, names, base=base, environment=env, debug=debug, observe=observe
            )
        paths += built.require().paths
    push_paths(workspace, paths, to, keys=key or (), dry_run=dry_run, json=json)


def push_paths(
    workspace: Workspace,
    paths: Sequence[str],
    to: str | None,
    *,
    keys: Sequence[Path] = (),
    dry_run: bool = False,
    json: bool = False,
) -> None:
    from nixgen import pipeline
    from nixgen.cli import console
    from nixgen.cli.progress import push_progress

    with (
        pipeline.cache_location(workspace, to) as location,
        push_progress(quiet=json) as observe,
    ):
        report = pipeline.push(
            workspace, paths, location, keys=keys, dry_run=dry_run, observe=observe
        )
    if json:
        console.print_json(report.document())
    else:
        console.print_pushed(report, where=to or "the project's own S3 (.nixgen/s3)")
        if to is None:
            console.note("serve it with: nixgen cache serve --embedded .nixgen/s3")


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


@app.command("keygen")
def keygen(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as cache.example.org-1.")],
    secret: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="Where the secret key goes; FILE.pub gets the public one."
        ),
    ] = Path("nixgen-cache.key"),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a key pair that signs what is pushed."""
    from nixgen.cache.keygen import keygen as make
    from nixgen.cli import console

    public = make(name, secret)
    if json:
        console.print_json({"schema": "nixgen/key/1", "public": str(public), "secret": str(secret)})
    else:
        console.say(f"secret key: {secret} (keep it out of version control)")
        console.say(f"public key: {public}")
        console.say("clients need: --option trusted-public-keys '" + str(public) + "'")
