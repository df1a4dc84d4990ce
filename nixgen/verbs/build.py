"""Build, assemble, test: what the command line and the demo are made of, read from the top down. What becomes of it in a cache is in
`nixgen.verbs.caches`.

Each function takes a `Workspace`, returns a value, and reports progress through ``observe``; nothing is printed.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nixgen.driver.build.build import BuildReport, realise
from nixgen.driver.build.builders import Builders
from nixgen.driver.build.report import TargetResult
from nixgen.driver.build.roots import Roots
from nixgen.driver.evaluate import Evaluated, Limits, Target
from nixgen.driver.store.store import Store
from nixgen.errors import UsageError
from nixgen.instant import stamp
from nixgen.programs.child import missing_tool
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.workspace import SHELL, Workspace
from nixgen.verbs.evaluate import BASES, NO_OVERRIDES, Evaluation, Observer
from nixgen.verbs.remember import leave_stamp

if TYPE_CHECKING:
    from nixgen.oci.ship.engine import RunningContainer
    from nixgen.oci.write.report import ImageReport
    from nixgen.vm.record.report import TestResult

__all__ = [
    "BASES",
    "Built",
    "Substituters",
    "build",
    "build_images",
    "builder_systems",
    "dry_run",
    "evaluated",
    "results",
    "run_test",
    "running",
    "shell",
]


@attrs.frozen(kw_only=True)
class Built:
    """The outcome of `build`.

    :param origins: the user's ``file:line`` of every target of the project.
    :param seconds: from the generated tree to the last root.
    """

    report: BuildReport
    origins: Mapping[str, str | None]
    base: str
    environment: str | None
    started: datetime
    seconds: float

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(result.target for result in self.report.results)

    @property
    def paths(self) -> list[str]:
        """Every output that is there."""
        return [
            path
            for result in self.report.results
            if result.status in {"built", "cached"}
            for path in result.target.outputs.values()
        ]

    def require(self) -> Built:
        """:raises NixgenError: something failed; the error says what, where it comes from and why."""
        error = self.report.error(self.origins)
        if error is not None:
            raise error
        return self


def _ignore(_event: object) -> None:
    pass


def evaluated(
    workspace: Workspace,
    targets: Iterable[str] = (),
    *,
    base: str = "debian",
    environment: str | None = None,
    system: str | None = None,
    overrides: Mapping[str, Path] = NO_OVERRIDES,
    limits: Limits | None = None,
    debug: bool = False,
    observe: Observer = _ignore,
) -> Evaluated:
    """Generate and evaluate, as far as equal evaluations are not remembered; nothing is built. Targets that are wrong are in
    the outcome, not raised.

    :param system: of everything but machines, which say themselves; Nix's own when None.
    :param overrides: see `nixgen.project.overrides`.
    :param limits: see `build`.
    :raises InputError, OutsideError: as `build`.
    :raises EvaluationError: the tree as a whole is wrong.
    """
    return Evaluation.prepare(
        workspace,
        targets,
        base=base,
        environment=environment,
        system=system,
        overrides=overrides,
        limits=limits,
        debug=debug,
        observe=observe,
    ).evaluated()


def dry_run(
    workspace: Workspace,
    targets: Iterable[str] = (),
    *,
    base: str = "debian",
    environment: str | None = None,
    overrides: Mapping[str, Path] = NO_OVERRIDES,
    limits: Limits | None = None,
    keep_going: bool = True,
    debug: bool = False,
    observe: Observer = _ignore,
) -> Built:
    """What `build` would do: targets are ``cached``, or it ``would build`` them. With nothing to evaluate, no program starts.

    :raises InputError, EvaluationError, OutsideError: as `build`.
    """
    started, moment = time.monotonic(), datetime.now(UTC)
    targets = tuple(targets)
    evaluation = Evaluation.prepare(
        workspace,
        targets,
        base=base,
        environment=environment,
        overrides=overrides,
        limits=limits,
        keep_going=keep_going,
        debug=debug,
        observe=observe,
    )
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
    return Built(
        report=report,
        origins=evaluation.origins,
        base=base,
        environment=environment,
        started=moment,
        seconds=time.monotonic() - started,
    )


def build(
    workspace: Workspace,
    targets: Iterable[str] = (),
    *,
    base: str = "debian",
    environment: str | None = None,
    jobs: int | None = None,
    builders: str | None = None,
    system: str | None = None,
    overrides: Mapping[str, Path] = NO_OVERRIDES,
    gcroots: Path | None = None,
    substituters: Substituters | None = None,
    limits: Limits | None = None,
    keep_going: bool = True,
    debug: bool = False,
    observe: Observer = _ignore,
) -> Built:
    """Generate, evaluate and realise. Failed derivations are in the outcome, not raised.

    With nothing to do, no other program starts.

    :param system: of everything but machines, which say themselves; Nix's own when None.
    :param overrides: see `nixgen.project.overrides`.
    :param gcroots: folder of the roots, for builds beside the usual one, ``.nixgen/gcroots``.
    :param substituters: where outputs may be fetched instead of built; see `substituting`.
    :param jobs: builds at a time on this computer; with 0, builders do everything.
    :param builders: who else may build: names of the project's builders with commas between, ``all``, ``none``, or the path
        of a machines file, with a slash in it. Nix's own configuration counts when None.
    :param limits: what evaluating may use of this computer; `Limits.of_host` when None.
    :param keep_going: whether other targets are finished when one fails. Nothing is built before everything is evaluated.
    :raises InputError: a target, base, environment or builder that does not exist, or a wrong lock.
    :raises EvaluationError: Nix rejects targets; all of them are told.
    :raises OutsideError: no Nix, no mirror, no space, no builder when one is needed.
    """
    started, moment = time.monotonic(), datetime.now(UTC)
    targets = tuple(targets)
    chosen = _builders(workspace, builders)
    if jobs == 0 and not (chosen and chosen.machines) and substituters is None:
        raise UsageError(
            "with no jobs on this computer, no builders and no cache to fetch from, nothing can be built",
            hint="add --builders all or --from CACHE, or leave --jobs 0 out",
        )
    evaluation = Evaluation.prepare(
        workspace,
        targets,
        base=base,
        environment=environment,
        system=system,
        overrides=overrides,
        limits=limits,
        keep_going=keep_going,
        debug=debug,
        observe=observe,
    )
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
    with _using(chosen, evaluation) as equipped:
        report = _realised(equipped, roots, keep_going=keep_going, jobs=jobs, builders=chosen)
    if report.ok and system is None and roots == usual:
        leave_stamp(evaluation, stamp.BUILD, targets, report)
    return Built(
        report=report,
        origins=evaluation.origins,
        base=base,
        environment=environment,
        started=moment,
        seconds=time.monotonic() - started,
    )


@attrs.frozen(kw_only=True)
class Substituters:
    """Binary caches that Nix fetches from.

    :param urls: that Nix understands.
    :param public_keys: ``name:base64``, of which one must have signed what is fetched.
    """

    urls: tuple[str, ...]
    public_keys: tuple[str, ...]


def _builders(workspace: Workspace, wanted: str | None) -> Builders | None:
    """:raises UsageError: there is no such builder or file."""
    if wanted is None or wanted == "none":
        return None if wanted is None else Builders()
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


def builder_systems(workspace: Workspace, builders: str | None) -> frozenset[str]:
    """What the builders that are meant (see `build`) build for, beside this computer.

    :raises UsageError: there is no such builder or file.
    """
    chosen = _builders(workspace, builders)
    return frozenset(
        system for machine in (chosen.machines if chosen else ()) for system in machine.systems
    )


@contextlib.contextmanager
def _using(builders: Builders | None, evaluation: Evaluation) -> Iterator[Evaluation]:
    """The evaluation with Nix's options for these builders, which hold as long as the block.

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


def _realised(
    evaluation: Evaluation,
    gcroots: Path,
    *,
    keep_going: bool = True,
    jobs: int | None = None,
    builders: Builders | None = None,
) -> BuildReport:
    """Realise what is asked of an evaluation, with one mirror after the other."""
    found = evaluation.remembered()
    complete = found is not None and all(map(Roots(gcroots).holds, found))
    report = BuildReport(results=())
    for mirrors in (None,) if complete else evaluation.mirrors():
        if found is None:
            found = evaluation.run(mirrors).require()
        report = realise(
            found,
            runner=evaluation.runner,
            options=evaluation.options,
            store=Store.of_host(),
            gcroots=gcroots,
            keep_going=keep_going,
            jobs=jobs,
            known=evaluation.origins,
            builders=builders,
            observe=evaluation.observe,
        )
        if not report.unfetched:
            break
        # what this mirror lacks the next may have; derivations name their mirror, so they are made again
        evaluation.forget()
        found = None
    return report


def results(workspace: Workspace, built: Built) -> dict[str, object]:
    """The results.json of a build (docs/contracts.md §6)."""
    from nixgen.driver.build.results import Results, source_commit

    return Results.of_report(
        built.report,
        base=built.base,
        system=None,
        commit=source_commit(SubprocessRunner(), workspace.root),
        started=built.started,
        origins=built.origins,
    ).to_json()


def shell(
    workspace: Workspace,
    *,
    jobs: int | None = None,
    builders: str | None = None,
    debug: bool = False,
    observe: Observer = _ignore,
) -> Path:
    """The tools of the project and what nixgen itself runs, from Debian packages: a folder with ``bin/``, kept as long as
    the project is there.

    :raises InputError, WorkError, OutsideError: as `build`.
    """
    built = build(
        workspace,
        (SHELL,),
        jobs=jobs,
        builders=builders,
        gcroots=workspace.state / "shell" / "gcroots",
        debug=debug,
        observe=observe,
    ).require()
    return Path(built.targets[0].out)


# images


def build_images(
    workspace: Workspace, built: Built, *, out: Path | None = None, observe: Observer = _ignore
) -> tuple[ImageReport, ...]:
    """Write the OCI layouts of the images in ``built``, layered jointly, below ``out`` or .nixgen/images.

    :raises StoreError: a store path is gone, or the disk is full.
    """
    from nixgen.oci.plan.spec import read_spec
    from nixgen.oci.write.build import write_images

    specs = [
        read_spec(Path(target.out)) for target in built.targets if target.attr.startswith("images.")
    ]
    return write_images(
        specs, out or workspace.state / "images", workspace.state / "layers", observe
    )


@contextlib.contextmanager
def running(workspace: Workspace, report: ImageReport) -> Iterator[RunningContainer]:
    """A container of a built image, in whichever engine works here; gone at the end of the block.

    :raises EngineError: no engine works, or it refuses the image.
    """
    from nixgen.oci.ship import engine as engines

    runner = SubprocessRunner()
    engine = engines.find_engine(runner, workspace.state / "containers")
    image = engines.load(report.layout, engine, runner)
    with engines.run(image, engine, runner) as container:
        yield container


# machine tests


def run_test(
    workspace: Workspace,
    target: Target,
    *,
    timeout: float,
    accel: str = "auto",
    observe: Observer = _ignore,
) -> TestResult:
    """Boot the machines of a built test and run its script.

    :param accel: ``kvm`` or ``tcg``; ``auto`` finds out what works here.

    :raises OutsideError: QEMU is missing, or no machine came up.
    """
    from nixgen.vm.qemu.accel import KVM, TCG
    from nixgen.vm.run.run import run_test as run
    from nixgen.vm.spec import TestSpec

    spec = TestSpec.from_file(Path(target.out))
    chosen = {"auto": None, "kvm": KVM, "tcg": TCG}
    if accel not in chosen:
        raise UsageError(f"there is no accelerator {accel!r}", hint="use auto, kvm or tcg")
    return run(
        spec,
        state_dir=workspace.state / "vm",
        observe=observe,
        timeout=timeout,
        acceleration=chosen[accel],
    )
