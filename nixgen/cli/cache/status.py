"""``nixgen cache status``"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli import options
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.cache.check.status import CacheStatus, Coverage

app = options.verb()

_BAR = 24


@app.command("status", epilog=options.examples("nixgen cache status s3://bucket"))
def status(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CACHE] [TARGET]...",
            help="Address of a cache, or the name of a Cache of infra.py, then targets. Default: the project's own S3, and all targets.",
        ),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(
            "--cache",
            metavar="CACHE",
            envvar="NIXGEN_CACHE",
            help="The cache, when it is not the first argument.",
        ),
    ] = None,
    project: options.ProjectFolder = Path(),
    upstream: options.Upstreams = None,
    base: options.Base = "debian",
    env: options.Env = None,
    override_input: options.OverrideInput = None,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show how much of each target is in a cache, and the size of the cache."""
    from nixgen.cache.check.status import status as look
    from nixgen.cache.push.upstream import UpstreamCaches
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, upstream_urls
    from nixgen.cli.cache._progress import upstream_notes
    from nixgen.cli.progress import build_progress
    from nixgen.driver.store.store import Store
    from nixgen.project.workspace import Workspace
    from nixgen.verbs.evaluate import evaluated

    workspace = Workspace.open(project)
    names = [*(words or ())]
    if names and (
        "://" in names[0] or names[0] in {known.name for known in workspace.project.caches}
    ):
        cache = names.pop(0)
    urls = upstream_urls(upstream or (), workspace, cache)
    request = options.make_request(
        workspace, base=base, env=env, override_input=override_input, debug=debug
    )
    with build_progress(quiet=json) as observe:
        targets = evaluated(workspace, names, request, observe=observe).require()
    with (
        open_bucket(workspace, cache) as bucket,
        UpstreamCaches(urls, upstream_notes(quiet=json)) as upstreams,
    ):
        found = look(
            bucket,
            {each.attr: tuple(each.outputs.values()) for each in targets},
            store=Store.of_host(),
            elsewhere=lambda paths: upstreams.having(tuple(paths)),
        )
    console.print_report(found, print_status, json=json)
    if not found.covered:
        raise typer.Exit(1)


def print_status(found: CacheStatus) -> None:
    """Print the size of the cache in a line, and a bar for each target.

    :param found: the status.
    """
    from rich.table import Table
    from rich.text import Text

    from nixgen.cli.console import human_size, out, say

    ratio = f", {found.nar_bytes / found.file_bytes:.1f} : 1" if found.file_bytes else ""
    say(
        f"{counted(found.paths, 'path')}, {human_size(found.nar_bytes)} in {human_size(found.file_bytes)}{ratio}"
    )
    if found.newest is not None:
        roots = ", ".join(f"{count} of {name}" for name, count in sorted(found.roots.items()))
        say(f"last push {_ago(found.newest)}; generations: {roots or 'none'}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("target")
    table.add_column("in the cache", no_wrap=True)
    table.add_column("paths", justify="right")
    table.add_column("missing")
    for target in found.targets:
        filled = int(target.share * _BAR)
        # Rounded down: only what is complete is 100 %.
        table.add_row(
            target.attr,
            Text.assemble(
                ("━" * filled, "green" if target.covered else "yellow"),
                ("─" * (_BAR - filled), "dim"),
                f" {int(target.share * 100):3} %",
            ),
            f"{target.present + target.upstream}/{target.closure}",
            _missing(target),
        )
    if found.targets:
        say("")
        out().print(table)


def _missing(target: Coverage) -> str:
    from nixgen.cli.console import human_size

    if target.covered:
        return f"{target.upstream} from upstream" if target.upstream else ""
    if target.missing_bytes is None:
        return "not built here"
    return f"{counted(len(target.missing), 'path')}, {human_size(target.missing_bytes)}"


def _ago(moment: datetime) -> str:
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now" if seconds < 60 else f"{seconds:.0f} seconds ago"
