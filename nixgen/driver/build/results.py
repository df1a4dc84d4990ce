"""results.json: what a build produced (docs/contracts.md §6), for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from attrs import frozen

from nixgen.driver.build.report import BuildReport, Status
from nixgen.driver.evaluate import Target
from nixgen.errors import InputError, MissingToolError
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.records.document import document

__all__ = ["SCHEMA", "Results", "TargetOutcome", "source_commit"]

SCHEMA = "nixgen/results/1"


@frozen(kw_only=True)
class TargetOutcome:
    """One target. ``where``: the user's ``file:line``; ``seconds``: of its own derivation; ``machine``: the remote builder
    that this was given to, None for this computer.
    """

    target: Target
    status: Status
    seconds: float
    where: str | None = None
    machine: str | None = None


@frozen(kw_only=True)
class Results:
    """One build.

    :param system: Nix's platform; None is the builder's own.
    :param commit: the project's source commit, when it lies in a git repository.
    :param started: when, in UTC with whole seconds.
    :param seconds: wall time of the whole build.
    """

    base: str
    system: str | None
    commit: str | None
    started: datetime
    seconds: float
    targets: tuple[TargetOutcome, ...]

    @classmethod
    def of_report(
        cls,
        report: BuildReport,
        *,
        base: str,
        system: str | None,
        commit: str | None,
        started: datetime,
        origins: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Results:
        return cls(
            base=base,
            system=system,
            commit=commit,
            started=started.astimezone(UTC).replace(microsecond=0),
            seconds=round(report.seconds, 3),
            targets=tuple(
                TargetOutcome(
                    target=result.target,
                    status=result.status,
                    seconds=round(result.seconds, 3),
                    where=origins.get(result.attr),
                    machine=result.machine,
                )
                for result in report.results
            ),
        )

    def to_json(self) -> dict[str, object]:
        return document(
            SCHEMA,
            base=self.base,
            system=self.system,
            commit=self.commit,
            started=self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=self.seconds,
            targets=[
                {
                    "attr": outcome.target.attr,
                    **outcome.target.to_json(),
                    "status": outcome.status,
                    "seconds": outcome.seconds,
                    "where": outcome.where,
                    "machine": outcome.machine,
                }
                for outcome in self.targets
            ],
        )

    @classmethod
    def from_json(cls, data: Any) -> Results:
        """:raises InputError: when it is not a document of this schema."""
        try:
            if data["schema"] != SCHEMA:
                raise InputError(
                    f"results of the unknown schema {data['schema']!r}",
                    hint="build again with this version of nixgen",
                )
            return cls(
                base=data["base"],
                system=data["system"],
                commit=data["commit"],
                started=datetime.strptime(data["started"], "%Y-%m-%dT%H:%M:%SZ").replace(
                    tzinfo=UTC
                ),
                seconds=float(data["seconds"]),
                targets=tuple(
                    TargetOutcome(
                        target=Target.from_json(entry["attr"], entry),
                        status=_status(entry["status"]),
                        seconds=float(entry["seconds"]),
                        where=entry["where"],
                        machine=entry.get("machine"),
                    )
                    for entry in data["targets"]
                ),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"results.json is malformed: {error!r}", hint="build again with nixgen build --json"
            ) from error

    def dumps(self) -> str:
        """The document as text, with a final newline."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


def _status(value: Any) -> Status:
    if value not in get_args(Status):
        message = f"{value!r} is no status"
        raise ValueError(message)
    status: Status = value
    return status


def source_commit(runner: Runner, project: Path) -> str | None:
    """The commit that ``project`` has checked out; None outside git, or without git."""
    command = Command(argv=("git", "-C", str(project), "rev-parse", "HEAD"), deadline=10)
    try:
        done = runner.run(command)
    except MissingToolError:
        return None
    return done.text.strip() if done.ok else None
