"""Evaluate the targets of a project: reuse remembered evaluations, and ask Nix for the others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.commands.versions import nix_identity, program_identity
from nixgen.driver.evaluate import (
    Blame,
    Costs,
    DependencyGraph,
    Evaluated,
    EvaluationCache,
    Limits,
    Target,
    TargetKey,
    Tree,
    eval_jobs_program,
    evaluate,
    nix_settings,
    target_keys,
)
from nixgen.driver.evaluate.events import EvaluationMessage
from nixgen.driver.messages.events import Message
from nixgen.driver.messages.faults import store_fault
from nixgen.errors import StoreError, UsageError
from nixgen.files.fingerprint import fingerprint
from nixgen.programs.observer import Observer, ignore
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.project.dependencies import evaluation_rows, evaluation_tree, source_digests
from nixgen.project.generate import locate, write_generated
from nixgen.project.overrides import OPTION
from nixgen.project.workspace import SHELL, Workspace
from nixgen.verbs.request import DEFAULT, Request

if TYPE_CHECKING:
    from nixgen.debian.lock import Lock
    from nixgen.debian.mirrors import Mirrors

__all__ = [
    "Evaluation",
    "base_lock",
    "base_mirrors",
    "blame",
    "evaluated",
    "moving_files",
    "request_tree",
]


@attrs.frozen(kw_only=True)
class Evaluation:
    """An evaluation ready to run: the written tree, the requested targets, and for each a cache key
    over everything that its evaluation can read.

    :param workspace: the project.
    :param request: how to evaluate.
    :param attrs_wanted: the attributes of the targets, groups resolved.
    :param origins: target → ``file:line`` of the user's, for every target of the project.
    :param lock: the lock of the Debian base; None on other bases.
    :param tree: the generated tree and the arguments of its function.
    :param trees: input that is a folder → its fingerprint at the time of `prepare`.
    :param keys: target → the key of its remembered evaluation, from the same moment.
    :param cache: the remembered evaluations.
    :param observe: gets the events.
    :param runner: runs Nix.
    :param options: the settings that Nix is given.
    """

    workspace: Workspace
    request: Request
    attrs_wanted: tuple[str, ...]
    origins: Mapping[str, str | None]
    lock: Lock | None
    tree: Tree
    trees: Mapping[Path, str]
    keys: Mapping[str, TargetKey]
    cache: EvaluationCache
    observe: Observer
    runner: Runner
    options: NixOptions

    @classmethod
    def prepare(
        cls,
        workspace: Workspace,
        targets: Iterable[str],
        request: Request,
        *,
        observe: Observer = ignore,
    ) -> Evaluation:
        """Write the tree, and find out what each target depends on; Nix is not started.

        :param workspace: the project.
        :param targets: as typed; all targets when empty.
        :param request: how to evaluate.
        :param observe: gets the events.
        :raises InputError: a target, base, environment or override that does not exist, or a wrong
            lock.
        :raises MissingToolError: there is no Nix.
        """
        request.require_known(workspace)
        attrs_wanted = workspace.select(targets)
        nix_identity()  # without Nix, nothing is written
        write_generated(workspace)
        lock = base_lock(workspace, request.base, observe, attrs_wanted)
        tree = request_tree(workspace, request)
        trees = _fingerprints(workspace, tree)
        return cls(
            workspace=workspace,
            request=request,
            attrs_wanted=attrs_wanted,
            origins={**workspace.target_origins(), SHELL: None},
            lock=lock,
            tree=tree,
            trees=trees,
            keys=_keys(workspace, attrs_wanted, tree, trees),
            cache=EvaluationCache(workspace.state / "cache" / "evaluations"),
            observe=observe,
            runner=SubprocessRunner(),
            options=NixOptions.of_host(),
        )

    def mirrors(self) -> Mirrors | None:
        """The mirrors of this computer; None on bases without mirrors."""
        return None if self.lock is None else base_mirrors(self.lock, self.runner)

    def evaluated(self) -> Evaluated:
        """Evaluate all targets, unless all are remembered."""
        known = self.remembered()
        return self.run(self.mirrors()) if known is None else Evaluated(targets=known)

    def remembered(self) -> tuple[Target, ...] | None:
        """All targets if every evaluation is remembered; else None."""
        known = self.cache.load(self._plain_keys)
        if not all(attr in known for attr in self.attrs_wanted):
            return None
        return tuple(known[attr] for attr in self.attrs_wanted)

    def run(self, mirrors: Mirrors | None) -> Evaluated:
        """Evaluate the targets that are not remembered, and add those that are.

        :param mirrors: the mirrors that derivations name; None on bases without mirrors.
        :raises EvaluationError, OutsideError, StoreError: as `nixgen.driver.evaluate.evaluate`.
        """
        from nixgen.debian.mirrors import mirrors_env

        known = self.cache.load(self._plain_keys)
        self._tell_doubts()
        found = evaluate(
            attrs.evolve(self.tree, mirrors=None if mirrors is None else mirrors_env(mirrors)),
            [attr for attr in self.attrs_wanted if attr not in known],
            runner=self.runner,
            options=self.options,
            limits=self.request.limits or Limits.of_host(),
            costs=_costs(self.workspace, self.cache.seconds()),
            blame=blame(self.workspace, self.tree, debug=self.request.debug),
            remembered=len(known),
            keep=self._keep,
            keep_going=self.request.keep_going,
            observe=self.observe,
        )
        self._forget_what_changed(found.targets)
        targets = {**known, **{target.attr: target for target in found.targets}}
        return Evaluated(
            targets=tuple(targets[attr] for attr in self.attrs_wanted if attr in targets),
            errors=found.errors,
        )

    def forget(self) -> None:
        """Drop the remembered evaluations of all targets."""
        self.cache.forget(self._plain_keys)

    @property
    def _plain_keys(self) -> Mapping[str, str | None]:
        return {attr: key.key for attr, key in self.keys.items()}

    def _keep(self, target: Target, seconds: float | None) -> None:
        key = self.keys[target.attr].key
        if key is not None:
            self.cache.save(key, target, seconds)

    def _forget_what_changed(self, targets: Iterable[Target]) -> None:
        """Drop evaluations whose files were edited while Nix read them, in an unknown state."""
        evaluated = [target.attr for target in targets]
        if not evaluated:
            return
        trees = _fingerprints(self.workspace, self.tree)
        now = _keys(self.workspace, evaluated, self.tree, trees)
        before = {attr: self.keys[attr].key for attr in evaluated}
        self.cache.forget({attr: key for attr, key in before.items() if now[attr].key != key})

    def _tell_doubts(self) -> None:
        """Report each reason to evaluate targets every time once, however many targets have it."""
        doubted: dict[str, list[str]] = {}
        for attr, key in self.keys.items():
            for doubt in key.dependencies.doubts:
                doubted.setdefault(doubt, []).append(attr)
        for doubt, attrs_doubted in doubted.items():
            first, *more = attrs_doubted
            who = f"{first} and {len(more)} more are" if more else f"{first} is"
            self.observe(EvaluationMessage(text=f"{who} evaluated every time: {doubt}"))


def evaluated(
    workspace: Workspace,
    targets: Iterable[str] = (),
    request: Request = DEFAULT,
    *,
    observe: Observer = ignore,
) -> Evaluated:
    """Generate, and evaluate the targets that no remembered evaluation answers; nothing is built.

    :param workspace: the project.
    :param targets: as typed; all targets when empty.
    :param request: how to evaluate.
    :param observe: gets the events.
    :return: targets that Nix rejects are among its errors, not raised.
    :raises InputError, OutsideError: as `nixgen.verbs.build.build`.
    :raises EvaluationError: the tree as a whole is wrong.
    """
    return Evaluation.prepare(workspace, targets, request, observe=observe).evaluated()


def _costs(workspace: Workspace, seconds: Mapping[str, float]) -> Costs:
    """Estimate what evaluating each target costs, in multiples of the cost of one machine."""
    project = workspace.project
    return Costs(
        groups={f"machines.{item.name}": item.system for item in project.machines},
        weights={
            **{f"images.{item.name}": 0.2 for item in project.images},
            **{f"packages.{item.name}": 0.1 for item in project.packages},
            **{f"tests.{item.name}": 0.5 + len(item.machines) for item in project.tests},
        },
        seconds=seconds,
    )


def request_tree(workspace: Workspace, request: Request, mirrors: str | None = None) -> Tree:
    """The generated tree of a project, with the arguments that a request gives it.

    :param workspace: the project.
    :param request: how to evaluate.
    :param mirrors: see `Tree`.
    """
    return Tree(
        file=workspace.generated / "default.nix",
        base=request.base,
        system=request.system,
        environment=request.environment,
        inputs=request.overrides,
        mirrors=mirrors,
    )


def _keys(
    workspace: Workspace, attrs_wanted: Iterable[str], tree: Tree, trees: Mapping[Path, str]
) -> Mapping[str, TargetKey]:
    jobs = eval_jobs_program()
    return target_keys(
        evaluation_rows(workspace, attrs_wanted, tree.environment),
        tree.file,
        graph=_graph(workspace),
        settings={
            "base": tree.base,
            "nix": nix_identity(),
            "jobs": program_identity(jobs) if jobs else None,
            "settings": nix_settings(os.environ),
            "system": tree.system,
            "environment": tree.environment,
            "inputs": {name: trees[path] for name, path in _local_trees(workspace, tree).items()},
            "mirrors": os.environ.get("NIXGEN_DEBIAN_MIRROR"),
        },
    )


def _graph(workspace: Workspace) -> DependencyGraph:
    return DependencyGraph(
        root=str(workspace.root),
        state=str(workspace.state),
        generated=str(workspace.generated),
        library=str(workspace.generated / "lib"),
        sources=source_digests(workspace),
        store=os.environ.get("NIX_STORE_DIR", "/nix/store"),
    )


def moving_files(
    workspace: Workspace, attrs_wanted: Iterable[str], environment: str | None
) -> Mapping[str, Path]:
    """The files that evaluate to the same targets when they are moved together to another place.

    :param workspace: the project.
    :param attrs_wanted: the targets.
    :param environment: the environment, if any.
    :return: path from the project → the file, link or folder on disk. The path of anything outside
        of the project begins with ``..``.
    """
    graph = _graph(workspace)
    place = str(workspace.generated / "default.nix")
    found = {
        path
        for row in evaluation_rows(workspace, attrs_wanted, environment).values()
        for path in graph.relative_files(row, place)
    }
    hand_written = {
        os.path.relpath(path, workspace.root): Path(path) for path in found if os.path.lexists(path)
    }
    return {**hand_written, **evaluation_tree(workspace)}


def _local_trees(workspace: Workspace, tree: Tree) -> Mapping[str, Path]:
    """Input → its folder, for inputs without a hash that shows changes: overrides and path pins.

    :raises LockError: flake-inputs.json is wrong.
    """
    if tree.base == "debian":
        return tree.inputs
    pinned = {
        name: workspace.root / pin.fields["path"]
        for name, pin in workspace.inputs.pins.items()
        if pin.type == "path"
    }
    return {**pinned, **tree.inputs}


def _fingerprints(workspace: Workspace, tree: Tree) -> Mapping[Path, str]:
    return {path: _fingerprint(path) for path in _local_trees(workspace, tree).values()}


def _fingerprint(tree: Path) -> str:
    try:
        return fingerprint(str(tree))
    except FileNotFoundError:
        return "absent"  # Nix says so in words
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be read: {error.strerror}",
            hint=f"make it readable, or give another tree with {OPTION}",
        ) from error


def blame(workspace: Workspace, tree: Tree, *, debug: bool) -> Blame:
    """The translation of places in the generated tree, and in trees of inputs, to the user's lines.

    :param workspace: the project.
    :param tree: the tree that is evaluated.
    :param debug: put Nix's whole trace into an error.
    """
    return Blame(
        locate=partial(locate, workspace),
        origins=workspace.target_origins(),
        root=workspace.root,
        names={path: name for name, path in tree.inputs.items()},
        debug=debug,
    )


def base_lock(
    workspace: Workspace, base: str, observe: Observer, targets: Iterable[str] = ()
) -> Lock | None:
    """The lock of the Debian base, resolved first if needed. None on other bases.

    :param workspace: the project.
    :param base: the package base.
    :param observe: gets the events.
    :param targets: the targets to evaluate.
    """
    if base != "debian":
        return None
    from nixgen.verbs.inputs import ensure_lock

    targets = tuple(targets)
    return ensure_lock(
        workspace,
        lambda text: observe(Message(3, text)),
        targets=targets,
        shell=SHELL in targets,
    )


def base_mirrors(lock: Lock, runner: Runner) -> Mirrors:
    """Add the builder of the Debian base to the store, and find the mirrors of this computer.

    :param lock: the lock of the Debian base.
    :param runner: runs Nix.
    :raises MirrorError: no mirror has the builder.
    :raises StoreError: the store cannot be written.
    """
    from nixgen.debian.bootstrap import ensure_busybox
    from nixgen.debian.locking import machine_mirrors

    mirrors = machine_mirrors(runner)
    for architecture in lock.architectures.values():
        try:
            ensure_busybox(architecture, mirrors, runner)
        except StoreError as error:
            # the first thing that is written to the store is the first that it refuses
            raise store_fault(error.details) or error from error
    return mirrors
