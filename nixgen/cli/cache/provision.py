"""``nixgen cache provision``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Cache, Debug, Json, ProjectFolder, examples, verb

app = verb()


@app.command("provision", epilog=examples("nixgen cache provision s3://bucket --plan"))
def provision(
    cache: Cache = None,
    project: ProjectFolder = Path(),
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Print the changes, and make none; exit with 1 when there are any."
        ),
    ] = False,
    emit: Annotated[
        str | None,
        typer.Option(
            "--emit",
            metavar="FORMAT",
            help="Print the design of the bucket for another tool: cloudformation, terraform-json, or policies alone.",
        ),
    ] = None,
    public: Annotated[
        bool | None,
        typer.Option(
            "--public/--private",
            help="Whether anybody may read the cache. Default: as the Cache of infra.py says, or private.",
        ),
    ] = None,
    encryption: Annotated[
        str,
        typer.Option(
            "--encryption",
            metavar="KIND",
            help="Encryption of new objects: aes256, kms:KEY, or none to leave the bucket's own setting alone.",
        ),
    ] = "aes256",
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Create or correct the bucket of a cache: access, encryption, lifecycle. A second run changes nothing."""
    from nixgen.cache.bucket.bucket import Bucket
    from nixgen.cache.bucket.location import CacheLocation
    from nixgen.cache.provision.apply import provision as run
    from nixgen.cache.provision.design import BucketDesign, Encryption
    from nixgen.cache.provision.emit import FORMATS
    from nixgen.cli import console
    from nixgen.driver.store.store import Store
    from nixgen.errors import UsageError
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import caches

    if emit is not None and emit not in FORMATS:
        raise UsageError(
            f"there is no format {emit!r}", hint=f"the formats are {', '.join(FORMATS)}"
        )
    if emit is not None and plan:
        raise UsageError(
            "--emit looks at no bucket, so there is no plan", hint="give --emit or --plan, not both"
        )
    workspace = None if cache and "://" in cache else Workspace.open(project)
    model = workspace.cache(cache) if workspace and cache else None
    is_public = (model is not None and model.public) if public is None else public
    settings = Encryption.parse(encryption)

    if emit is not None:
        if cache is None:
            raise UsageError(
                "the project's own S3 needs nothing from other tools",
                hint="name the cache: nixgen cache provision s3://BUCKET --emit …",
            )
        location = CacheLocation.parse(model.address if model else cache)
        design = BucketDesign(location=location, public=is_public, encryption=settings)
        console.print_json(FORMATS[emit](design))
        return

    with (
        caches.cache_location(workspace, cache) as location,
        Bucket(location, connections=1) as bucket,
    ):
        design = BucketDesign(location=location, public=is_public, encryption=settings)
        done = run(design, bucket, store_dir=Store.of_host().store_dir, plan_only=plan)
    if json:
        console.print_json(done.document())
    else:
        console.print_diff(map(str, done.changes))
        if not done.drift:
            console.say("nothing to change")
        elif plan:
            console.say("apply it by the same command without --plan")
        elif location.emulator:
            console.note("the emulator forgets all of this but nix-cache-info when it ends")
    if plan and done.drift:
        raise typer.Exit(1)
