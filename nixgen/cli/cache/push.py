"""``nixgen cache push``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nixgen.cli import options

app = options.verb()


@app.command(
    "push",
    epilog=options.examples(
        "nixgen cache push",
        "nixgen cache push machines --to s3://bucket",
        "nixgen cache push --to main --dry-run",
    ),
)
def push(
    targets: options.Targets = None,
    project: options.ProjectFolder = Path(),
    to: options.To = None,
    key: options.SigningKeys = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            "--upstream",
            metavar="URL|KEY",
            help="Do not push paths that this cache has, or that this public key has signed, nor their references. May be repeated.",
        ),
    ] = None,
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    compression: Annotated[
        str | None,
        typer.Option(
            "--compression",
            metavar="NAME",
            help="Compression of archives: zstd, xz, gzip or none. Default: zstd.",
        ),
    ] = None,
    level: Annotated[
        int | None,
        typer.Option("--level", metavar="N", help="Level of the compression; zstd has 1 to 19."),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Check every path against the store's database, and push no corrupt path.",
        ),
    ] = False,
    listings: Annotated[
        bool, typer.Option("--listings", help="Also store a list of the files in each path (.ls).")
    ] = False,
    logs: Annotated[bool, typer.Option("--logs", help="Also store build logs.")] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough",
            help="Ask the cache for every path, also for references of paths that it has.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be pushed, and push nothing.")
    ] = False,
    verbose: options.Verbose = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Build targets, or take store paths, and push their closures with signatures."""
    from nixgen.cache.format.codec import Codec
    from nixgen.cache.push.settings import UploadSettings
    from nixgen.cache.push.upstream import Upstream
    from nixgen.cli import console
    from nixgen.cli._session import print_pushed
    from nixgen.cli.progress import build_progress, tracked
    from nixgen.cli.tracking import PushTracker
    from nixgen.instant import repeated_push
    from nixgen.verbs import build, caches
    from nixgen.verbs.push import push as push_closures

    paths = [target for target in targets or () if target.startswith("/")]
    names = [target for target in targets or () if not target.startswith("/")]
    workspace = None
    if names or not paths or (project / "infra.py").exists():
        from nixgen.project.workspace import Workspace

        workspace = Workspace.open(project)
    built = None
    upstreams = [Upstream.parse(text) for text in upstream or ()]
    if workspace is not None and (names or not paths):
        request = options.make_request(
            workspace, base=base, env=env, override_input=override_input, debug=debug
        )
        with build_progress(quiet=json, verbose=verbose) as observe:
            built = build.build(workspace, names, request, observe=observe)
        paths += built.require().paths
    own, known = caches.cache_defaults(workspace, to)
    settings = UploadSettings(
        codec=own
        if compression is None and level is None
        else Codec.of(compression or own.name, level),
        verify=verify,
        listings=listings,
        logs=logs,
    )
    with (
        caches.cache_location(workspace, to) as location,
        tracked(PushTracker(), quiet=json, verbose=verbose) as observe,
    ):
        report = push_closures(
            workspace,
            paths,
            location,
            keys=key or (),
            settings=settings,
            upstreams=[*known, *upstreams],
            thorough=thorough,
            dry_run=dry_run,
            root=None if dry_run else caches.cache_root(workspace, paths, built),
            observe=observe,
        )
    if json:
        console.print_json(report.document())
    else:
        print_pushed(report, where=to or "the project's own S3 (.nixgen/s3)")
        if to is None and not dry_run:
            console.note("serve it with: nixgen cache serve --embedded .nixgen/s3")
    if to is not None and report.question is not None and not report.plan.upstream:
        asked = repeated_push.request(
            project=str(project),
            targets=targets or (),
            outputs=[each.out for each in built.targets] if built else (),
            to=to,
            keys=[*map(str, key or ())],
            base=base,
            environment=env,
        )
        folder = None if asked["project"] is None else str(workspace and workspace.root)
        repeated_push.save(folder, asked, report.question, report.plan.closure)
