"""``nixgen cache verify``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli import options
from nixgen.errors import counted

if TYPE_CHECKING:
    from nixgen.cache.check.problems import CacheProblem
    from nixgen.cache.check.verify import Verification

app = options.verb()

_MOST_ROWS = 10


@app.command("verify", epilog=options.examples("nixgen cache verify s3://bucket"))
def verify(
    cache: options.Cache = None,
    project: options.ProjectFolder = Path(),
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="PUBLIC",
            help="Public key, or a file with one, that must have signed every path. May be repeated: one of the keys is enough. Default: the project's own key.",
        ),
    ] = None,
    upstream: options.Upstreams = None,
    nars: Annotated[
        bool, typer.Option("--nars/--no-nars", help="Download archives, and check their hashes.")
    ] = True,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, metavar="N", help="Download the archives of N paths only."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Download every archive, which is the default.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Chooses the paths of --sample; the same number chooses the same paths."
        ),
    ] = 0,
    min_age: Annotated[
        str,
        typer.Option(
            "--min-age",
            metavar="AGE",
            help="Unnamed objects that are younger, such as 12h or 0, belong to a push under way, and are no problem.",
        ),
    ] = "24h",
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Check signatures, hashes, references and archives of a cache."""
    from nixgen.cache.check.verify import verify as check
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace, public_keys, upstream_urls
    from nixgen.cli.cache._progress import CheckTracker
    from nixgen.cli.cache.gc import age_of
    from nixgen.cli.progress import tracked
    from nixgen.errors import UsageError

    if sample is not None and (all_ or not nars):
        raise UsageError(
            f"--sample and {'--all' if all_ else '--no-nars'} contradict each other",
            hint="give one of them",
        )
    workspace = open_workspace(project, cache)
    keys = public_keys(key or (), workspace, cache, option="--key")
    upstreams = upstream_urls(upstream or (), workspace, cache)
    with (
        open_bucket(workspace, cache) as bucket,
        tracked(CheckTracker("checking"), quiet=json) as observe,
    ):
        found = check(
            bucket,
            keys,
            observe,
            upstreams=upstreams,
            archives=nars,
            sample=sample,
            seed=seed,
            min_age=age_of("--min-age", min_age),
        )
    console.print_report(found, print_verification, json=json)
    if found.problems:
        raise typer.Exit(1)


def print_verification(found: Verification) -> None:
    """Print one line for a good cache, and a table of problems for another.

    :param found: the outcome of the check.
    """
    from nixgen.cli.console import human_size, note, say

    size = f"{counted(found.paths, 'path')}, {human_size(found.nar_bytes)}"
    print_problems(found.problems)
    if found.problems:
        say(f"{counted(len(found.problems), 'problem')} in {size}")
    elif not found.archives.read:
        say(f"{size}: signatures and references are right; no archive was read")
    elif found.archives.read == found.archives.stored:
        say(f"{size}: signatures, hashes and references are right")
    else:
        say(
            f"{size}: signatures and references are right, and so is each hash of the"
            f" {counted(found.archives.read, 'archive')} read ({human_size(found.archives.file_bytes)})"
        )
    if found.in_progress:
        note(
            f"unnamed yet, and too young to judge: {found.in_progress} archives, listings or uploads"
        )
    if not found.uploads_known:
        note("unfinished uploads were not looked for: that takes s3:ListBucketMultipartUploads")


def print_problems(problems: Sequence[CacheProblem]) -> None:
    """Print problems with their remedies; of many of one kind, the first ten.

    :param problems: of a cache.
    """
    from collections import Counter

    from nixgen.cli.console import note, print_table

    seen: Counter[str] = Counter()
    rows = []
    for problem in problems:
        seen[problem.kind] += 1
        if seen[problem.kind] <= _MOST_ROWS:
            rows.append((problem.name, problem.message, problem.remedy))
    if rows:
        print_table(["path", "problem", "what to do"], rows)
    for kind, count in seen.items():
        if count > _MOST_ROWS:
            note(f"… and {count - _MOST_ROWS} more of {kind}; --json lists them all")
