"""``nixgen cache push``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.options import Base, Debug, Env, Json, ProjectFolder, Targets, verb

if TYPE_CHECKING:
    from nixgen.workspace import Workspace

app = verb()


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
