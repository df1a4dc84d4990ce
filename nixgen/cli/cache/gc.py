"""``nixgen cache gc``"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nixgen.cli.cache._words import span_text
from nixgen.cli.options import Cache, Debug, Json, ProjectFolder, examples, verb
from nixgen.errors import UsageError, VerifyError, counted

if TYPE_CHECKING:
    from nixgen.cache.collect.collect import GcReport

app = verb()

#: Rows of the table; more would scroll the totals away.
_MOST_ROWS = 40
_AGE = re.compile(r"(\d+)([wdhms])")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?")
_POWERS = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


@app.command("gc", epilog=examples("nixgen cache gc s3://bucket"))
def gc(
    cache: Cache = None,
    project: ProjectFolder = Path(),
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            metavar="N",
            min=1,
            help="How many of the newest generations of each target to keep, in each environment. Default: as infra.py says of the cache, or 3.",
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Remove only generations that are older, such as 30d or 12h.",
        ),
    ] = None,
    max_bytes: Annotated[
        str | None,
        typer.Option(
            "--max-bytes",
            metavar="SIZE",
            help="Remove the oldest generations until the rest takes no more, such as 500GB; never the newest generation of a target.",
        ),
    ] = None,
    min_age: Annotated[
        str, typer.Option("--min-age", metavar="AGE", help="Keep every object that is younger.")
    ] = "24h",
    grace: Annotated[
        str,
        typer.Option(
            "--grace",
            metavar="AGE",
            help="How long an object must have been found dead before it is removed; 0 removes at once.",
        ),
    ] = "24h",
    apply: Annotated[
        bool, typer.Option("--apply", help="Mark and remove. Default: print what would be done.")
    ] = False,
    batch_seconds: Annotated[
        float,
        typer.Option(
            "--batch-seconds",
            metavar="SECONDS",
            min=2,
            help="How long others wait for a collection that died.",
        ),
    ] = 120,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Remove paths from a cache that no kept generation, pin or push under way needs."""
    from nixgen.cache.collect.collect import collect, preview
    from nixgen.cache.collect.policy import GcPolicy
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace

    workspace = open_workspace(project, cache)
    model = workspace.cache(cache) if workspace is not None and cache is not None else None
    policy = GcPolicy(
        keep=keep or (model.keep if model else 3),
        older_than=None if older_than is None else age_of("--older-than", older_than),
        max_bytes=None if max_bytes is None else _size(max_bytes),
        min_age=age_of("--min-age", min_age),
        grace=age_of("--grace", grace),
    )

    def tell(done: int, all_: int) -> None:
        if not json:
            console.note(f"{done} of {counted(all_, 'object')}")

    with open_bucket(workspace, cache) as bucket:
        if apply:
            report = collect(bucket, policy, batch_seconds=batch_seconds, tell=tell)
        else:
            report = preview(bucket, policy)
    console.print_report(report, _print, json=json)
    if report.plan.problems:
        raise VerifyError(
            f"{counted(len(report.plan.problems), 'corrupt narinfo')} left alone, with all files that may be named there",
            details=report.plan.problems[:10],
            hint="run: nixgen cache repair",
        )


def _print(report: GcReport) -> None:
    from nixgen.cli.console import human_size, note, say

    rows = _rows(report)
    if rows:
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for when, size, kind, what, why in rows[:_MOST_ROWS]:
            say(
                f"{when:<{widths[0]}}  {size:>{widths[1]}}  {kind:<{widths[2]}}  {what:<{widths[3]}}  {why}"
            )
        if len(rows) > _MOST_ROWS:
            say(f"… and {len(rows) - _MOST_ROWS} more (--json lists all)")
        say("")
    leases = f", {counted(report.leases, 'lease')} among what keeps them" if report.leases else ""
    say(
        f"kept      {counted(report.plan.kept_paths, 'path')}, {human_size(report.plan.kept_bytes)}{leases}"
    )
    if report.applied:
        say(
            f"removed   {counted(len(report.removed), 'object')}, {human_size(report.removed_bytes)}"
        )
    else:
        say(
            f"to remove {counted(len(report.due), 'object')}, {human_size(report.bytes_of(report.due))}"
        )
    waiting = frozenset(report.since) - report.due
    if waiting:
        verb_ = "marked   " if report.applied else "to mark  "
        say(
            f"{verb_} {counted(len(waiting), 'object')}, {human_size(report.bytes_of(waiting))};"
            f" removed by a run in {span_text(report.policy.grace)} or later, if nothing needs them by then"
        )
    if report.rescued:
        say(f"rescued   {counted(len(report.rescued), 'object')} marked before, needed again")
    if report.spared:
        say(
            f"spared    {counted(len(report.spared), 'object')} that somebody came to need meanwhile"
        )
    most = report.policy.max_bytes
    if most is not None and report.plan.kept_bytes > most:
        note(
            f"more than {human_size(most)} has to be kept: the newest generation of each target, pins, leases, and young objects"
        )
    if not report.applied and report.since:
        note("nothing was changed; do it with --apply")


def _rows(report: GcReport) -> list[tuple[str, str, str, str, str]]:
    """When, bytes, kind, name and reason of each dead object.

    A path counts together with its listing, log, realisation and archive.
    """
    from nixgen.cache.format.names import object_digest
    from nixgen.cli.console import human_size

    with_path: dict[str, int] = {}
    paths = {object_digest(each.name) for each in report.plan.doomed if each.kind == "path"}
    rows: list[tuple[str, str, str, str, str]] = []
    for each in report.plan.doomed:
        mine = sorted(each.paths & paths)
        if mine:
            with_path[mine[0]] = with_path.get(mine[0], 0) + each.size
    for each in report.plan.doomed:
        if each.kind != "path" and each.paths & paths:
            continue
        size = (
            with_path.get(object_digest(each.name), each.size) if each.kind == "path" else each.size
        )
        what = each.path or each.name.removeprefix("nixgen/roots/").removesuffix(".json")
        rows.append((_when(report, each.name), human_size(size), each.kind, what, each.why))
    return rows


def _when(report: GcReport, name: str) -> str:
    if name in report.removed:
        return "removed"
    if name in report.spared:
        return "spared"
    if name in report.due:
        return "now"
    return f"in {span_text(report.since[name] + report.policy.grace - report.now)}"


def age_of(option: str, text: str) -> timedelta:
    """Read the value of an option that takes an age.

    :param option: its name, for the error.
    :param text: such as ``30d``, ``12h`` or ``0``.
    :raises UsageError: it is none, or too long.
    """
    found = _AGE.fullmatch(text)
    if text == "0":
        return timedelta()
    if not found:
        raise UsageError(
            f"{option}: {text!r} is not an age", hint="write it like 30d, 12h, 90m, 45s or 0"
        )
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError as error:
        raise UsageError(
            f"{option}: {text} is too long", hint="use less than 999999999d"
        ) from error


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if not found:
        raise UsageError(
            f"--max-bytes: {text!r} is not a size", hint="write it like 500GB, 20GiB or 1000000"
        )
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]])
