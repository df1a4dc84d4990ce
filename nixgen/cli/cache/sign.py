"""``nixgen cache sign``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli import options
from nixgen.errors import counted

app = options.verb()

_MOST_ROWS = 10


@app.command("sign", epilog=options.examples("nixgen cache sign s3://bucket --key new.key"))
def sign(
    cache: options.Cache = None,
    project: options.ProjectFolder = Path(),
    key: options.SigningKeys = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop",
            metavar="NAME",
            help="Remove the signatures of the key with this name. May be repeated.",
        ),
    ] = None,
    trust: options.TrustedKeys = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the changes, and make none.")] = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Sign the paths of a cache with another key, or remove an old key's signatures."""
    from nixgen.cache.check.rotate import Rotation
    from nixgen.cache.check.rotate import sign as rotate
    from nixgen.cache.format.signing import SecretKey
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace, public_keys

    workspace = open_workspace(project, cache)
    trusted = public_keys(trust or (), workspace, cache, option="--trust")
    rotation = Rotation.of([SecretKey.load(path) for path in key or ()], trusted, drop or ())
    with open_bucket(workspace, cache) as bucket:
        report = rotate(bucket, rotation, plan_only=plan)
    if json:
        console.print_json(report.document())
    else:
        changed = "would get" if plan else "got"
        console.say(
            f"{report.changed} of {counted(report.paths, 'path')} {changed} other signatures"
        )
        for refused in report.refused[:_MOST_ROWS]:
            console.say(f"left alone: {refused.path or refused.object} {refused.message}")
        if len(report.refused) > _MOST_ROWS:
            console.say(
                f"left alone: {len(report.refused) - _MOST_ROWS} more; --json lists them all"
            )
        if report.refused:
            console.note(
                "if you know the key that signed these, name it with --trust; otherwise: nixgen cache repair"
            )
        elif report.changed and rotation.keys and not plan:
            console.note(
                "clients remember a narinfo for up to 30 days: drop the old key after that"
            )
    if report.refused:
        raise typer.Exit(1)
