"""Printing results, notes and errors. Results go to standard output, the rest to standard error.

Only this module, `nixgen.cli.progress` and `nixgen.cli.cache.status` draw. Without a terminal, or
with ``TERM=dumb`` or ``NO_COLOR``, lines are plain.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from nixgen.cli.streams import write_text
from nixgen.errors import NixgenError, Problem, counted
from nixgen.records.document import document, to_text

if TYPE_CHECKING:
    from rich.console import Console

    from nixgen.oci.write.report import ImageReport
    from nixgen.project.generate import Changes
    from nixgen.verbs.build import Built
    from nixgen.verbs.doctor import Finding
    from nixgen.verbs.inputs import Checked
    from nixgen.vm.record.report import TestResult

__all__ = [
    "harmless",
    "human_size",
    "note",
    "print_built",
    "print_checked",
    "print_diff",
    "print_document",
    "print_findings",
    "print_generated",
    "print_images",
    "print_json",
    "print_manifests",
    "print_notes",
    "print_options",
    "print_planned",
    "print_report",
    "print_table",
    "print_targets",
    "print_test",
    "print_text",
    "report_error",
    "say",
]

_APT = "apt-get install "
#: Not empty once standard output has its JSON document. An error afterwards prints no second one.
_printed: list[str] = []


@cache
def out() -> Console:
    """The console of standard output."""
    from rich.console import Console

    # in a file or pipe, a table is as wide as its text: rich would fold it at 80 columns
    folded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(
        highlight=False,
        soft_wrap=True,
        width=None if folded else 10_000,
        markup=False,
        emoji=False,
    )


@cache
def err() -> Console:
    """The console of standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _plain(stream: Any) -> bool:
    return not stream.isatty() or os.environ.get("TERM") == "dumb" or "NO_COLOR" in os.environ


def _paint(text: str, style: str, stream: Any) -> str:
    """ANSI without importing rich: the short messages of fast commands need no more."""
    codes = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}
    if _plain(stream):
        return text
    return f"\x1b[{';'.join(codes[word] for word in style.split())}m{text}\x1b[0m"


def say(message: str) -> None:
    """Print one line of the result.

    :param message: the line, without its end.
    """
    print(message)


def print_text(text: str) -> None:
    """Print a document unchanged, in UTF-8.

    :param text: the document.
    """
    write_text(text)


def note(message: str) -> None:
    """Print one line that is no part of the result, such as progress.

    :param message: the line, without its end.
    """
    print(message, file=sys.stderr)


def print_json(document: Any) -> None:
    """Print the one JSON document of a command.

    :param document: the document.
    """
    _printed.append("json")
    print(to_text(document), end="")


def print_report(report: Any, show: Callable[[Any], None], *, json: bool) -> None:
    """Print the document of a report, or the report as text.

    :param report: the outcome of a command. Its method ``document`` makes the document.
    :param show: prints the report as text.
    :param json: print the document.
    """
    if json:
        print_json(report.document())
    else:
        show(report)


def print_document(schema: str, **members: Any) -> None:
    """Print the one JSON document of a command.

    :param schema: the schema, such as ``nixgen/targets/1``.
    :param members: the members, by their names in JSON.
    """
    print_json(document(schema, **members))


def print_manifests(text: str, form: str) -> None:
    """Print manifests: in colours on a terminal, and otherwise byte by byte.

    :param text: the manifests.
    :param form: ``yaml`` or ``json``.
    """
    if _plain(sys.stdout):
        write_text(text)
        return
    from rich.syntax import Syntax

    # the terminal's own colours, on its own background; nothing is wrapped that is to be copied
    shown = Syntax(text.rstrip("\n"), form, theme="ansi_dark", background_color="default")
    out().print(shown)


def print_targets(origins: Mapping[str, str | None]) -> None:
    """Print targets, each with its ``file:line`` in infra.py.

    :param origins: target → its place.
    """
    width = max(map(len, origins), default=0)
    for attr, where in origins.items():
        print(f"{attr:<{width}}  {_paint(where or '', 'dim', sys.stdout)}".rstrip())
    if not origins:
        note("the project has no targets yet; add machines, images, tests or packages to infra.py")


def print_options(types: Iterable[tuple[str, str]]) -> None:
    """Print options with the descriptions of their types, which are cut at 120 characters.

    :param types: the path and the description of each option.
    """
    for option, words in types:
        line = " ".join(words.split())
        short = line if len(line) <= 120 else f"{line[:119]}…"
        print(f"{option}  {_paint(short, 'dim', sys.stdout)}")


def print_notes(notes: Iterable[Problem]) -> None:
    """Print faults that do not stop a command.

    :param notes: the faults.
    """
    for found in notes:
        text = harmless(f"{found.message}; {found.hint}" if found.hint else found.message)
        note(f"{_paint('note', 'bold yellow', sys.stderr)}: {text}")
        if found.where:
            note(f"  at {_paint(harmless(found.where), 'cyan', sys.stderr)}")


def print_diff(lines: Iterable[str]) -> None:
    """Print a unified diff.

    :param lines: its lines.
    """
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        text = line.rstrip("\n")
        style = "bold" if text.startswith(("+++", "---")) else styles.get(text[:1])
        print(_paint(text, style, sys.stdout) if style else text)


def print_generated(changes: Changes) -> None:
    """Print the files of generated/ that were written, removed or left alone.

    :param changes: the changes that were applied.
    """
    library = [path for path in changes.written if path.startswith("lib/")]
    for path in changes.written:
        if path not in library:
            say(f"wrote   {changes.folder.name}/{path}")
    if library:
        say(f"wrote   {changes.folder.name}/lib ({counted(len(library), 'file')})")
    for path in changes.removed:
        say(f"removed {changes.folder.name}/{path}")
    for path in changes.kept:
        note(
            f"{changes.folder.name}/{path} is stale, but was edited since nixgen wrote it; left alone"
        )
    if not changes.stale:
        say("generated/ is up to date")


def print_findings(findings: Iterable[Finding]) -> None:
    """Print the findings of `nixgen doctor`, and the command that installs everything missing.

    :param findings: the findings.
    """
    rows = list(findings)
    width = max(len(finding.name) for finding in rows)
    for finding in rows:
        mark = (
            _paint("ok     ", "green", sys.stdout)
            if finding.ok
            else _paint("missing", "bold red", sys.stdout)
        )
        print(f"{mark} {finding.name:<{width}}  {finding.detail}")
        if finding.mend:
            print(
                f"{'':8}{'':<{width}}  needed for {finding.needed_for}; run: {_paint(finding.mend, 'bold', sys.stdout)}"
            )
    packages = sorted(
        {
            finding.mend.removeprefix(_APT)
            for finding in rows
            if finding.mend and finding.mend.startswith(_APT)
        }
        - {""}
    )
    if len(packages) > 1:
        print(f"\nall at once: {_APT}{' '.join(packages)}")


def print_checked(checked: Checked, width: int) -> None:
    """Print the state of one input, and the command that repairs it.

    :param checked: the input and its state.
    :param width: the width of the column of names.
    """
    styles = {"ok": "green", "differs": "bold red", "unreachable": "bold yellow"}
    mark = _paint(f"{checked.state:<11}", styles[checked.state], sys.stdout)
    print(f"{mark} {checked.name:<{width}}  {checked.detail}")
    if checked.mend:
        print(f"{'':11} {'':<{width}}  run: {_paint(checked.mend, 'bold', sys.stdout)}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. Columns of numbers are flush right.

    :param columns: the heads of the columns.
    :param rows: the cells of each row.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        numeric = column.lower() in {"seconds", "size", "layers", "paths", "bytes", "builds"}
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    out().print(table)


def print_built(built: Built) -> None:
    """Print a line for each target on standard output, and the time on standard error.

    :param built: the outcome of a build.
    """
    _print_results(built, {"built": "green", "cached": "dim", "failed": "bold red"}, 7)
    note(f"{counted(len(built.report.results), 'target')} in {built.seconds:.1f} s")


def _print_results(built: Built, styles: Mapping[str, str], column: int) -> None:
    width = max((len(result.attr) for result in built.report.results), default=0)
    for result in built.report.results:
        status = _paint(f"{result.status:<{column}}", styles[result.status], sys.stdout)
        path = "" if result.status == "failed" else result.target.out
        print(f"{status} {result.attr:<{width}}  {path}".rstrip())


def print_planned(built: Built) -> None:
    """Print a line for each target on standard output: cached, or to be built.

    :param built: the outcome of a dry run.
    """
    _print_results(built, {"cached": "dim", "would build": "bold"}, 11)
    results = built.report.results
    missing = sum(result.status != "cached" for result in results)
    note(
        f"{missing} of {counted(len(results), 'target')} would be built; evaluated in {built.seconds:.1f} s"
        if missing
        else f"{f'all {len(results)} targets are' if results[1:] else '1 target is'} there; evaluated in {built.seconds:.1f} s"
    )


def print_images(reports: Sequence[ImageReport]) -> None:
    """Print a table of images.

    :param reports: the images that were written.
    """
    rows = [
        (
            report.ref,
            human_size(report.size),
            f"{len(report.layers)} ({report.new_layers} new)",
            report.digest[:19],
            os.path.relpath(report.layout),
        )
        for report in reports
    ]
    print_table(["image", "size", "layers", "digest", "OCI layout"], rows)


def print_test(result: TestResult) -> None:
    """Print the outcome of a test and of its steps.

    :param result: the outcome.
    """
    colour = "green" if result.passed else "bold red"
    first, _, rest = result.text().partition("\n")
    print(_paint(harmless(first), colour, sys.stdout))
    print(harmless(rest, painted=True), end="")


def human_size(count: int) -> str:
    """A number of bytes with its unit, by powers of ten: ``12.3 MB``.

    :param count: the number.
    """
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def report_error(error: NixgenError, *, as_json: bool = False, folder: str = ".") -> None:
    """Print what happened, where in the user's file, and what to do next.

    In a job of GitHub Actions, faults with a place also become annotations of that line.

    :param error: the error.
    :param as_json: print the document nixgen/error/1 too, unless the command has printed its own.
    :param folder: the folder of the project, which places are relative to.
    """
    if as_json and not _printed:
        print_json(_error_document(error))
    note("\n".join(_lines(_paint("error", "bold red", sys.stderr), error, "  ")))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in _annotations(error, folder):
            note(line)


def _annotations(error: NixgenError, folder: str) -> Iterable[str]:
    """Workflow commands for GitHub, which reads them from both streams.

    See https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    faults = [(error.where, error.message, error.hint)]
    faults += [(each.where, f"{each.path}: {each.message}", each.hint) for each in error.problems]
    for where, message, hint in faults:
        file, _, line = (where or "").rpartition(":")
        if not file or not line.isdigit():
            continue
        # a file is named from the top of the checkout
        top = os.environ.get("GITHUB_WORKSPACE") or "."
        name = os.path.relpath(os.path.realpath(os.path.join(folder, file)), os.path.realpath(top))  # noqa: PTH118 - relative to another folder, with links resolved
        text = _escaped(f"{message}\n{hint}" if hint else message)
        yield f"::error file={_escaped(name, more=':,')},line={line}::{text}"


def _escaped(text: str, *, more: str = "") -> str:
    """Text as a workflow command takes it: the ``%`` encoding of line ends, and of ``more``."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


# C0, DEL and C1, which terminals obey, and what orders text in two directions; ESC [ … m only paints
_OBEYED = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str, *, painted: bool = False) -> str:
    """Write the characters of a text that a terminal would obey as Python escapes.

    :param text: text that may have the user's own text in it.
    :param painted: keep colours, as in the log of a build.
    """
    if text.isascii() and text.isprintable():
        return text
    return _OBEYED.sub(
        lambda found: found[0] if painted and found[0].endswith("m") else repr(found[0])[1:-1],
        text,
    )


def _lines(head: str, fault: NixgenError | Problem, indent: str) -> Iterator[str]:
    """The lines about an error or one of its problems: what happened, where, and what to do next."""
    yield f"{head}: {harmless(fault.message)}"
    if fault.where:
        yield f"{indent}at {_paint(harmless(fault.where), 'cyan', sys.stderr)}"
    yield from (f"{indent}{harmless(detail, painted=True)}" for detail in fault.details)
    for problem in fault.problems if isinstance(fault, NixgenError) else ():
        path = _paint(harmless(problem.path), "bold", sys.stderr)
        yield from _lines(f"{indent}{path}", problem, f"{indent}  ")
    if fault.hint:
        hint = harmless(fault.hint)
        yield f"{indent}{_paint('hint', 'bold green', sys.stderr)}: {hint}"


def _error_document(error: NixgenError) -> dict[str, Any]:
    return document(
        "nixgen/error/1",
        kind=type(error).__name__,
        problems=[{"path": each.path, **_fault_members(each)} for each in error.problems],
        exit=error.exit_status,
        **_fault_members(error),
    )


def _fault_members(fault: NixgenError | Problem) -> dict[str, Any]:
    return {
        "message": fault.message,
        "where": fault.where,
        "hint": fault.hint,
        "details": list(fault.details),
    }
