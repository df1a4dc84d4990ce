"""``nixgen cache warm``: put all targets, environments and systems of a project into a cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve, frozen

from nixgen.cache.bucket.bucket import Bucket
from nixgen.cache.bucket.location import CacheLocation
from nixgen.cache.keep.roots import DEFAULT_ENVIRONMENT, Root, new_generation, record_root
from nixgen.cache.push.upstream import Upstream
from nixgen.cache.push.warm import Shard, WarmPlan, WarmRow, Work, make_warm_plan
from nixgen.driver.build.results import source_commit
from nixgen.driver.build.roots import Roots
from nixgen.driver.commands.versions import probe
from nixgen.driver.evaluate import Target
from nixgen.driver.messages.events import Message
from nixgen.driver.store.store import Store
from nixgen.errors import BuildError, EvaluationError, UsageError, counted
from nixgen.programs.observer import Observer
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.workspace import Workspace
from nixgen.verbs.build import Substituters, build, builder_systems
from nixgen.verbs.evaluate import evaluated
from nixgen.verbs.request import DEFAULT, Request, require_environment

__all__ = ["SYSTEMS", "Selection", "Warmed", "build_missing", "plan", "record_roots"]

SYSTEMS = ("aarch64-linux", "x86_64-linux")
"""The systems that a machine can have, see `nixgen.models.Machine`."""


@frozen(kw_only=True)
class Selection:
    """The targets, environments and systems that the cache should have.

    :param targets: as typed, see `nixgen.verbs.build.build`; empty for all.
    :param environments: names of environments; None among them is the project as it stands. By
        default the project as it stands and all its environments.
    :param systems: names of systems. Empty: those of the machines, or this computer's if there is
        no machine.
    :param shard: the part to warm; None for everything.
    """

    targets: tuple[str, ...] = ()
    environments: tuple[str | None, ...] | None = None
    systems: tuple[str, ...] = ()
    shard: Shard | None = None

    def works(self, workspace: Workspace, here: str) -> list[Work]:
        """Every selected combination, environment by environment.

        A machine counts only on its own system.

        :param workspace: the project.
        :param here: the system of this computer.
        :raises UsageError: there is no such target, environment or system.
        """
        known: list[str] = [each.name for each in workspace.project.environments]
        for environment in self.environments or ():
            require_environment(workspace, environment, note="; none is the project as it stands")
        for system in self.systems:
            if system not in SYSTEMS:
                raise UsageError(
                    f"there is no system {system!r}", hint=f"there are {' and '.join(SYSTEMS)}"
                )
        own = {f"machines.{each.name}": each.system for each in workspace.project.machines}
        works = (
            Work(attr=attr, environment=environment, system=system)
            for environment in dict.fromkeys(self.environments or (None, *known))
            for system in dict.fromkeys(self.systems or own.values() or (here,))
            for attr in workspace.select(self.targets)
            if own.get(attr, system) == system
        )
        return [work for work in works if self.shard is None or self.shard.holds(work)]


def plan(
    workspace: Workspace,
    selection: Selection,
    location: CacheLocation,
    request: Request = DEFAULT,
    *,
    upstreams: Sequence[Upstream] = (),
    observe: Observer,
) -> WarmPlan:
    """Evaluate the selected targets, and ask the cache which ones it lacks.

    Targets that cannot be evaluated are failed rows of the plan; they are not raised.

    :param workspace: the project.
    :param selection: the selected targets.
    :param location: the cache.
    :param request: how to evaluate.
    :param upstreams: caches whose paths need not be in this one.
    :param observe: gets the events.
    :raises InputError, OutsideError: as `nixgen.verbs.build.build`.
    :raises CacheError: the cache does not answer.
    """
    here = _this_system(workspace)
    works = selection.works(workspace, here)
    buildable = {here} | builder_systems(workspace, request.builders)
    wanted: list[tuple[Work, Target]] = []
    failed: list[WarmRow] = []
    for group in _groups(works).values():
        by_attr = {work.attr: work for work in group}
        outcome = evaluated(workspace, by_attr, _request(request, group[0], here), observe=observe)
        wanted += ((by_attr[target.attr], target) for target in outcome.targets)
        failed += (
            WarmRow(work=by_attr[attr], target=None, state="failed", error=_one_line(error))
            for attr, error in outcome.errors.items()
        )
    observe(Message(3, f"asking the cache for {counted(len(wanted), 'target')}"))
    with Bucket(location) as bucket:
        made = make_warm_plan(
            wanted,
            store=Store.of_host(),
            bucket=bucket,
            buildable=buildable.__contains__,
            upstreams=upstreams,
        )
    rows = {row.work: row for row in (*made.rows, *failed)}
    return evolve(made, rows=tuple(rows[work] for work in works))


def _one_line(error: EvaluationError) -> str:
    return f"{error.message} ({error.where})" if error.where else error.message


@frozen(kw_only=True)
class Warmed:
    """The outcome of `build_missing`.

    :param plan: the plan, in which targets that failed to build are failed rows.
    :param details: the reasons, from the build logs.
    """

    plan: WarmPlan
    details: tuple[str, ...]

    @property
    def error(self) -> BuildError | None:
        """The error about targets that failed or cannot be built here; None without one."""
        failed = self.plan.of("failed")
        elsewhere = self.plan.of("cannot be built here")
        systems = " and ".join(sorted({row.work.system for row in elsewhere}))
        missing = len(failed) + len(elsewhere)
        if not missing:
            return None
        return BuildError(
            f"{missing} of {counted(len(self.plan.rows), 'target')} {'is' if missing == 1 else 'are'} still not in the cache",
            hint="correct what failed, and run it again; targets in the cache are not built again"
            if failed
            else f"warm the cache on {systems}, or name builders of that system with --builders",
            details=(
                *(f"{row.work}: {row.error}" for row in failed),
                *(f"{row.work}: cannot be built here" for row in elsewhere),
                *self.details,
            ),
        )


def build_missing(
    workspace: Workspace,
    planned: WarmPlan,
    request: Request = DEFAULT,
    *,
    substituters: Substituters | None = None,
    observe: Observer,
) -> Warmed:
    """Build the targets that the cache and the store lack.

    Roots in ``.nixgen/warm`` keep them, and the targets to push, from garbage collection.

    :param workspace: the project.
    :param planned: the plan.
    :param request: how to build.
    :param substituters: the cache itself, so that nothing it has is built again.
    :param observe: gets the events.
    :raises OutsideError: as `nixgen.verbs.build.build`.
    """
    here = _this_system(workspace)
    folder = workspace.state / "warm"
    groups = _groups(row.work for row in planned.of("to push", "to build"))
    _forget(folder, workspace)
    errors: dict[Work, str] = {}
    details: dict[str, None] = {}
    for name, group in groups.items():
        by_attr = {work.attr: work for work in group}
        try:
            built = build(
                workspace,
                by_attr,
                _request(request, group[0], here),
                gcroots=folder / name,
                substituters=substituters,
                observe=observe,
            )
        except BuildError as error:
            errors |= dict.fromkeys(group, error.message)
            details |= dict.fromkeys(error.details)
            continue
        failed = [result.attr for result in built.report.results if result.status == "failed"]
        errors |= {by_attr[attr]: "it cannot be built" for attr in failed}
        error_ = built.report.error(built.origins)
        details |= dict.fromkeys(error_.details if error_ else ())
    rows = (
        evolve(row, state="failed", error=errors[row.work]) if row.work in errors else row
        for row in planned.rows
    )
    return Warmed(plan=evolve(planned, rows=tuple(rows)), details=tuple(details))


def record_roots(workspace: Workspace, warmed: WarmPlan, location: CacheLocation) -> None:
    """Record a root for each environment, so that collection keeps what the cache has now.

    :param workspace: the project.
    :param warmed: the plan, all of whose targets were pushed.
    :param location: the cache.
    :raises CacheError: the cache does not answer.
    """
    now = datetime.now(UTC)
    commit = source_commit(SubprocessRunner(), workspace.root)
    there = warmed.of("cached", "to push", "to build")
    several = len({row.work.system for row in there}) > 1
    targets: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in there:
        if row.target is not None:
            # on another system it is another target, whose generations are counted on their own
            attr = f"{row.work.attr}.{row.work.system}" if several else row.work.attr
            environment = row.work.environment or DEFAULT_ENVIRONMENT
            targets.setdefault(environment, {})[attr] = row.target.outputs
    with Bucket(location) as bucket:
        for environment, outputs in targets.items():
            root = Root(
                environment=environment,
                generation=new_generation(now),
                created=now,
                project=workspace.project.name,
                commit=commit,
                targets=outputs,
            )
            record_root(bucket, root)


def _groups(works: Iterable[Work]) -> Mapping[str, list[Work]]:
    """Group the combinations that share an evaluation, by the name of the folder of their roots."""
    groups: dict[str, list[Work]] = {}
    for work in works:
        name = f"{work.system}.{work.environment}" if work.environment else work.system
        groups.setdefault(name, []).append(work)
    return groups


def _forget(folder: Path, workspace: Workspace) -> None:
    """Remove the roots of environments that the project no longer has."""
    known = {None, *(each.name for each in workspace.project.environments)}
    for roots in folder.iterdir() if folder.is_dir() else ():
        environment = roots.name.partition(".")[2] or None
        if environment not in known:
            Roots(roots).prune(())


def _this_system(workspace: Workspace) -> str:
    return probe(SubprocessRunner(), workspace.state / "cache").system


def _request(request: Request, work: Work, here: str) -> Request:
    """The request for one environment and system.

    On this computer's own system no system is given, so that the evaluation shares its remembered
    results with ordinary builds.
    """
    system = None if work.system == here else work.system
    return evolve(request, environment=work.environment, system=system)
