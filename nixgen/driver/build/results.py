"""results.json: the outcome of a build for other programs (docs/contracts.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from nixgen.driver.build.report import BuildReport
from nixgen.errors import MissingToolError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.records.document import document
from nixgen.records.times import time_text

__all__ = ["results_document", "source_commit"]


def results_document(
    report: BuildReport,
    *,
    base: str,
    system: str | None,
    commit: str | None,
    started: datetime,
    origins: Mapping[str, str | None],
) -> dict[str, object]:
    """The document of a build.

    :param report: the outcome.
    :param base: the base that the project was built on.
    :param system: Nix's platform, such as ``x86_64-linux``; None for the builder's own.
    :param commit: the commit of the project; None outside git.
    :param started: the moment when the build began, with its time zone.
    :param origins: target → ``file:line`` of the user's code.
    """
    return document(
        "nixgen/results/1",
        base=base,
        system=system,
        commit=commit,
        started=time_text(started),
        seconds=round(report.seconds, 3),
        targets=[
            {
                "attr": result.attr,
                **result.target.to_json(),
                "status": result.status,
                "seconds": round(result.seconds, 3),
                "where": origins.get(result.attr),
                "machine": result.machine,
            }
            for result in report.results
        ],
    )


def source_commit(runner: Runner, project: Path) -> str | None:
    """The commit that is checked out in a folder; None outside git, or if git is not installed.

    :param runner: runs git.
    :param project: the folder.
    """
    command = Command(argv=("git", "-C", str(project), "rev-parse", "HEAD"), deadline=10)
    try:
        done = runner.run(command)
    except MissingToolError:
        return None
    return done.text.strip() if done.ok else None
