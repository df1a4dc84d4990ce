"""``nixgen build``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli.options import Base, Builders, Debug, Env, Json, ProjectFolder, Targets, verb

app = verb()


@app.command("build")
def build(
    targets: Targets = None,
    project: ProjectFolder = Path(),
    base: Base = "debian",
    env: Env = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            min=0,
            metavar="N",
            help="Builds at a time on this computer; one a processor when not given, with 0 builders do everything.",
            show_default=False,
        ),
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going/--fail-fast", help="Build what can be built when something fails."
        ),
    ] = True,
    builders: Builders = None,
    push: Annotated[
        str | None,
        typer.Option(
            "--push", metavar="CACHE", help="Push what was built to this cache.", show_default=False
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build targets and keep them from garbage collection."""
    from nixgen import pipeline
    from nixgen.cli import console
    from nixgen.cli.progress import build_progress
    from nixgen.workspace import Workspace

    workspace = Workspace.open(project)
    with build_progress(quiet=json) as observe:
        built = pipeline.build(
            workspace,
            targets or (),
            base=base,
            environment=env,
            jobs=jobs,
            builders=builders,
            keep_going=keep_going,
            debug=debug,
            observe=observe,
        )
    if json:
        console.print_json(pipeline.results(workspace, built))
    else:
        console.print_built(built)
    built.require()
    if push is not None:
        from nixgen.cli.cache.push import push_paths

        push_paths(
            workspace,
            built.paths,
            push,
            root=pipeline.cache_root(workspace, built.paths, built),
            json=json,
        )
