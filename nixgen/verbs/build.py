"""``nixgen build``: generate, evaluate and realise the targets of a project.

Each function takes a `Workspace`, returns a value, and reports progress to ``observe``; nothing is
printed. Images and tests, which are made of built targets, are `nixgen.verbs.image` and
`nixgen.verbs.test`; pushes are `nixgen.verbs.push`.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import attrs

from nixgen.driver.build.build import BuildReport, realise
from nixgen.driver.build.builders import Builders
from nixgen.driver.build.report import TargetResult
from nixgen.driver.build.roots import Roots
from nixgen.driver.evaluate import Target
from nixgen.driver.store.store import Store
from nixgen.errors import UsageError
from nixgen.instant import stamp
from nixgen.programs.child import missing_tool
from nixgen.programs.observer import Observer, ignore
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.workspace import Workspace
from nixgen.verbs.evaluate import Evaluation
from nixgen.verbs.packages import fetch_packages
from nixgen.verbs.remember import leave_stamp
from nixgen.verbs.request import DEFAULT, Request

__all__ = ["Built", "Substituters", "build", "builder_systems", "dry_run", "results"]


@attrs.frozen(kw_only=True)
class Built:
    """The outcome of `build` or `dry_run`.

    :param report: the result of each target, and the failures.
    :param origins: target → ``file:line`` of the user's, for every target of the project.
    :param base: the package base.
    :param environment: the environment; None is the project as it stands.
    :param started: the time at which the verb began.
    :param seconds: from there to the last root.
    """

    report: BuildReport
    origins: Mapping[str, str | None]
    base: str
    environment: str | None
    started: datetime
    seconds: float

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets, with their outputs, in the order of the request."""
        return tuple(result.target for result in self.report.results)

    @property
    def paths(self) -> list[str]:
        """Every output that is in the store."""
        return [
            path
            for result in self.report.results
            if result.status in {"built", "cached"}
            for path in result.target.outputs.values()
        ]

    def require(self) -> Built:
        """Return this outcome if nothing failed.

        :raises NixgenError: something failed; the error says what, where it comes from and why.
        """
        error = self.report.error(self.origins)
        if error is not None:
            raise error
        return self


@attrs.frozen(kw_only=True)
class Substituters:
    """Binary caches that Nix fetches from.

    :param urls: addresses that Nix understands.
    :param public_keys: ``name:base64``; one of them must have signed each fetched path.
    """

    urls: tuple[str, ...]
    public_keys: tuple[str, ...]


def dry_run(
    workspace: Workspace,
    targets: Iterable[str] = (),
    request: Request = DEFAULT,
    *,
    observe: Observer = ignore,
) -> Built:
    """Find out what `build` would do. If evaluations are remembered, no program starts.

    :param workspace: the project.
    :param targets: as typed; all targets when empty.
    :param request: how to evaluate.
    :param observe: gets the events.
    :return: targets whose outputs are in the store are ``cached``, the others ``would build``.
    :raises InputError, EvaluationError, OutsideError: as `build`.
    """
    started, moment = time.monotonic(), datetime.now(UTC)
    targets = tuple(targets)
    evaluation = Evaluation.prepare(workspace, targets, request, observe=observe)
    found = evaluation.evaluated().require()
    valid = Store.of_host().valid(path for target in found for path in target.outputs.values())
    report = BuildReport(
        results=tuple(
            TargetResult(
                target=target,
                status="cached" if valid.issuperset(target.outputs.values()) else "would build",
            )
            for target in found
        ),
        seconds=time.monotonic() - started,
    )
    leave_stamp(evaluation, stamp.DRY_RUN, targets, report)
    return _outcome(evaluation, report, moment, time.monotonic() - started)


def build(
    workspace: Workspace,
    targets: Iterable[str] = (),
    request: Request = DEFAULT,
    *,
    gcroots: Path | None = None,
    substituters: Substituters | None = None,
    observe: Observer = ignore,
) -> Built:
    """Generate, evaluate and realise targets. With nothing to do, no other program starts.

    A derivation that fails is in the outcome, not raised.

    :param workspace: the project.
    :param targets: as typed; all targets when empty.
    :param request: how to evaluate and build.
    :param gcroots: folder for the roots of this build. None: the usual ``.nixgen/gcroots``.
    :param substituters: caches to fetch outputs from instead of building them.
    :param observe: gets the events.
    :raises InputError: a target, base, environment or builder that does not exist, or a wrong lock.
    :raises EvaluationError: Nix rejects targets; the error names all of them.
    :raises OutsideError: no Nix, no mirror, no space, no builder when one is needed.
    """
    started, moment = time.monotonic(), datetime.now(UTC)
    targets = tuple(targets)
    builders = _builders(workspace, request.builders)
    if request.jobs == 0 and not (builders and builders.machines) and substituters is None:
        raise UsageError(
            "with no jobs on this computer, no builders and no cache to fetch from, nothing can be built",
            hint="add --builders all or --from CACHE, or leave --jobs 0 out",
        )
    evaluation = Evaluation.prepare(workspace, targets, request, observe=observe)
    if substituters is not None:
        options = attrs.evolve(
            evaluation.options,
            substituters=substituters.urls,
            trusted_public_keys=substituters.public_keys,
            forget_narinfos=True,
        )
        evaluation = attrs.evolve(evaluation, options=options)
    usual = workspace.state / "gcroots"
    roots = gcroots or usual
    with _using(builders, evaluation) as equipped:
        report = _realised(equipped, roots, builders)
    if report.ok and request.system is None and roots == usual:
        leave_stamp(evaluation, stamp.BUILD, targets, report)
    return _outcome(evaluation, report, moment, time.monotonic() - started)


def _outcome(
    evaluation: Evaluation, report: BuildReport, started: datetime, seconds: float
) -> Built:
    return Built(
        report=report,
        origins=evaluation.origins,
        base=evaluation.request.base,
        environment=evaluation.request.environment,
        started=started,
        seconds=seconds,
    )


def builder_systems(workspace: Workspace, builders: str | None) -> frozenset[str]:
    """The systems that the chosen builders build for, beside this computer's own.

    :param workspace: the project.
    :param builders: see `Request`.
    :raises UsageError: there is no such builder or file.
    """
    chosen = _builders(workspace, builders)
    return frozenset(
        system for machine in (chosen.machines if chosen else ()) for system in machine.systems
    )


def results(workspace: Workspace, built: Built) -> dict[str, object]:
    """The results.json of a build (docs/contracts.md §6).

    :param workspace: the project, for its commit.
    :param built: the outcome of the build.
    """
    from nixgen.driver.build.results import results_document, source_commit

    return results_document(
        built.report,
        base=built.base,
        system=None,
        commit=source_commit(SubprocessRunner(), workspace.root),
        started=built.started,
        origins=built.origins,
    )


def _builders(workspace: Workspace, wanted: str | None) -> Builders | None:
    """The chosen builders; None to leave the choice to Nix's own configuration.

    :raises UsageError: there is no such builder or file.
    """
    if wanted is None:
        return None
    if wanted == "none":
        return Builders()
    if "/" in wanted:
        try:
            return Builders.parse(Path(wanted).read_text())
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise UsageError(
                f"{wanted} cannot be read as a machines file: {reason}",
                hint="names of builders have no slash; `nixgen build --help` says what can be given",
            ) from error
    known = Builders.parse(workspace.machines_file())
    if wanted == "all" and known.machines:
        return known
    return known.select(name.strip() for name in wanted.split(","))


@contextlib.contextmanager
def _using(builders: Builders | None, evaluation: Evaluation) -> Iterator[Evaluation]:
    """The evaluation with Nix's options for these builders, which are valid inside the block.

    :raises MissingToolError: there is no ssh.
    """
    if builders is None:
        yield evaluation
        return
    if builders.machines and shutil.which("ssh") is None:
        raise missing_tool("ssh")
    with builders.ssh_options() as words:
        options = attrs.evolve(
            evaluation.options,
            builders=builders.option,
            ssh_options=words if builders.machines else None,
        )
        yield attrs.evolve(evaluation, options=options)


def _realised(evaluation: Evaluation, gcroots: Path, builders: Builders | None) -> BuildReport:
    """Realise the targets of an evaluation."""
    found = evaluation.remembered()
    if found is None or not all(map(Roots(gcroots).holds, found)):
        mirrors = evaluation.mirrors()
        found = found or evaluation.run(mirrors).require()
        if mirrors is not None and evaluation.request.jobs != 0:
            fetch_packages(evaluation, found, mirrors)
    return realise(
        found,
        runner=evaluation.runner,
        options=evaluation.options,
        store=Store.of_host(),
        gcroots=gcroots,
        keep_going=evaluation.request.keep_going,
        jobs=evaluation.request.jobs,
        known=evaluation.origins,
        builders=builders,
        observe=evaluation.observe,
    )
