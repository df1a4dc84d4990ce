"""The words and the output of ``nixgen build``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli import options

app = options.verb()


@app.command(
    "build",
    epilog=options.examples(
        "nixgen build",
        "nixgen build machines.web images --dry-run",
        "nixgen build --env staging --push s3://bucket",
    ),
)
def build(
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Evaluate, and say what would be built; build nothing."),
    ] = False,
    jobs: options.Jobs = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going/--fail-fast",
            help="After a failure, go on with everything that does not depend on it.",
        ),
    ] = True,
    builders: options.Builders = None,
    push: Annotated[
        str | None,
        typer.Option(
            "--push", metavar="CACHE", help="Push each output to this cache as soon as it is built."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CACHE",
            help="Fetch what this cache or its upstreams have, instead of building it. The address that nixgen cache serve prints will do, too.",
        ),
    ] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            "--trust",
            metavar="KEY",
            help="Public key that fetched paths must be signed with. May be repeated. Default: the key of the Cache, or of the project.",
        ),
    ] = None,
    eval_workers: options.EvalWorkers = None,
    eval_memory: options.EvalMemory = None,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build targets and keep them from garbage collection."""
    from nixgen.cli import console
    from nixgen.cli._keys import public_keys
    from nixgen.cli._session import Pushing
    from nixgen.cli.progress import build_progress
    from nixgen.project.workspace import Workspace
    from nixgen.verbs import build, caches

    if dry_run:
        _refuse_with_dry_run({"--push": push, "--from": source, "--trust": trust})
    workspace = Workspace.open(project)
    console.print_notes(workspace.notes())
    request = options.make_request(
        workspace,
        base=base,
        env=env,
        override_input=override_input,
        jobs=jobs,
        builders=builders,
        eval_workers=eval_workers,
        eval_memory=eval_memory,
        keep_going=keep_going,
        debug=debug,
    )
    if dry_run:
        with build_progress(quiet=json, verbose=verbose) as observe:
            planned = build.dry_run(workspace, targets or (), request, observe=observe)
        if json:
            console.print_json(build.results(workspace, planned))
        else:
            console.print_planned(planned)
        return
    with contextlib.ExitStack() as stack:
        substituters = None
        if source is not None:
            keys = [*map(str, public_keys(trust or (), workspace, source, option="--trust"))]
            if source.startswith(("http://", "https://")):
                substituters = caches.substituting_from_url(source, keys)
            else:
                location = stack.enter_context(caches.cache_location(workspace, source))
                substituters = stack.enter_context(
                    caches.substituting(workspace, source, location, keys)
                )
        pushing = None if push is None else stack.enter_context(Pushing.to(workspace, push))
        with build_progress(quiet=json, verbose=verbose) as progress:
            observe = progress if pushing is None else pushing.beside(progress)
            built = build.build(
                workspace, targets or (), request, substituters=substituters, observe=observe
            )
        if not json:
            console.print_built(built)
        if pushing is not None:
            root = caches.cache_root(workspace, built.paths, built) if built.report.ok else None
            pushing.finish(built.paths, root=root, quiet=json, verbose=verbose)
    if json:
        document = build.results(workspace, built)
        console.print_json(document if pushing is None else document | pushing.document())
    if pushing is not None:
        pushing.tell(instead_of=built.report.error(built.origins), json=json)
    built.require()


def _refuse_with_dry_run(given: Mapping[str, object]) -> None:
    """Refuse options that have no meaning when nothing is built.

    :raises UsageError: one of them is given.
    """
    from nixgen.errors import UsageError

    for option, value in given.items():
        if value:
            raise UsageError(
                f"--dry-run builds, fetches and pushes nothing, so {option} would do nothing",
                hint="leave one of them out",
            )
