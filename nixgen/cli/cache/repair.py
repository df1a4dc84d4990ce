"""``nixgen cache repair``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli import options
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.cache.check.repair import RepairReport

app = options.verb()


@app.command("repair", epilog=options.examples("nixgen cache repair s3://bucket --plan"))
def repair(
    cache: options.Cache = None,
    project: options.ProjectFolder = Path(),
    key: options.SigningKeys = None,
    trust: options.TrustedKeys = None,
    upstream: options.Upstreams = None,
    drop: Annotated[
        bool,
        typer.Option(
            "--drop",
            help="Remove the paths that this computer cannot repair, with all paths that refer to them, so that clients build them.",
        ),
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Print the repairs, and make none.")] = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Verify a cache, and push its broken paths anew from the local store."""
    from nixgen.cache.check.repair import repair as mend
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace, public_keys, upstream_urls
    from nixgen.cli.cache._progress import CheckTracker
    from nixgen.cli.progress import tracked
    from nixgen.driver.store.store import Store
    from nixgen.verbs import caches

    workspace = open_workspace(project, cache)
    keys = caches.signing_keys(workspace, key or ())
    trusted = public_keys(trust or (), workspace, cache, option="--trust", optional=True)
    upstreams = upstream_urls(upstream or (), workspace, cache)
    codec, _ = caches.cache_defaults(workspace, cache)
    with (
        open_bucket(workspace, cache) as bucket,
        tracked(CheckTracker("repairing"), quiet=json) as observe,
    ):
        report = mend(
            bucket,
            keys,
            trusted,
            observe,
            store=Store.of_host(),
            codec=codec,
            upstreams=upstreams,
            drop=drop,
            plan_only=plan,
        )
    console.print_report(report, print_repaired, json=json)
    if not report.is_clean:
        raise typer.Exit(1)


def print_repaired(report: RepairReport) -> None:
    """Print the problems, the repairs, and what people have to do.

    :param report: of the repair.
    """
    from nixgen.cli.cache.verify import print_problems
    from nixgen.cli.console import note, say

    planned = report.remaining is None
    if not report.problems:
        say("nothing is broken")
    elif planned:
        print_problems(report.problems)
    for path in report.pushed:
        say(f"{'would push' if planned else 'pushed anew'}  {path}")
    for name in report.dropped:
        say(f"{'would drop' if planned else 'dropped'}  {name}")
    for reason in report.reasons:
        note(reason)
    if not report.dropped:
        for each in report.beyond:
            say(f"not in the local store: {each.path or each.name}; get it with: {each.command}")
        if report.beyond:
            note("then run it again; or let clients build these paths: nixgen cache repair --drop")
    if report.remaining:
        print_problems(report.remaining)
        say(f"{len(report.remaining)} of {counted(len(report.problems), 'problem')} left")
    elif report.problems and not planned:
        say(f"{counted(len(report.problems), 'problem')} mended, and what was touched verified")
    if report.waste:
        note(
            f"{counted(report.waste, 'object')} without a name in the cache; free the space with: nixgen cache gc"
        )
