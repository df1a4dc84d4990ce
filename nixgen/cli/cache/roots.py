"""``nixgen cache roots``"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nixgen.cli.cache._words import span_text
from nixgen.cli.options import Cache, Debug, Json, ProjectFolder, examples, verb

if TYPE_CHECKING:
    from nixgen.cache.keep.roots import Pin, Root

app = verb()


@app.command("roots", epilog=examples("nixgen cache roots s3://bucket"))
def roots(
    cache: Cache = None,
    project: ProjectFolder = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List the generations that were pushed to a cache, and its pins."""
    from nixgen.cache.keep.roots import list_pins, list_roots
    from nixgen.cli import console
    from nixgen.cli._keys import open_bucket, open_workspace
    from nixgen.records.structure import to_json

    with open_bucket(open_workspace(project, cache), cache) as bucket:
        found, pins, now = list_roots(bucket), list_pins(bucket), bucket.clock()
    if json:
        console.print_document(
            "nixgen/cache-roots/1",
            cache=str(bucket.location),
            roots=[{**to_json(root), "pinned": _pinned(root, pins)} for root in found],
            pins=[to_json(pin) for pin in pins],
        )
        return
    columns = ("environment", "generation", "age", "commit", "pinned", "targets")
    lines = _aligned(columns, [_row(root, pins, now) for root in found])
    if found and pins:
        lines.append("")
    rows = [(pin.name, span_text(now - pin.created), str(len(pin.paths)), pin.note) for pin in pins]
    for line in (*lines, *_aligned(("pin", "age", "paths", "note"), rows)):
        console.say(line)
    if not found and not pins:
        console.note("the cache has no roots and no pins; a push records a root")


def _row(root: Root, pins: tuple[Pin, ...], now: datetime) -> tuple[str, ...]:
    return (
        root.environment,
        root.generation,
        span_text(now - root.created),
        (root.commit or "")[:12],
        ", ".join(_pinned(root, pins)),
        _targets(sorted(root.targets)),
    )


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines to copy from, and for cut and grep: other commands take the generations."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]


def _pinned(root: Root, pins: tuple[Pin, ...]) -> list[str]:
    """The names of the pins that hold a path of the root."""
    return [pin.name for pin in pins if not root.paths.isdisjoint(pin.paths)]


def _targets(attrs: list[str]) -> str:
    return (
        ", ".join(attrs) if len(attrs) <= 3 else f"{', '.join(attrs[:2])} and {len(attrs) - 2} more"
    )
