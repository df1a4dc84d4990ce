"""Evaluating a project: what is remembered of it, and what Nix has to be asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from nixgen.driver.commands.nix import NixOptions
from nixgen.driver.commands.versions import nix_identity, program_identity
from nixgen.driver.evaluate import (
    Blame,
    Costs,
    Evaluated,
    EvaluationCache,
    Limits,
    Reach,
    Target,
    TargetKey,
    Tree,
    eval_jobs_program,
    evaluate,
    nix_settings,
    target_keys,
)
from nixgen.driver.evaluate.events import EvaluationSaid
from nixgen.driver.messages.events import Message
from nixgen.errors import UsageError
from nixgen.files.fingerprint import fingerprint
from nixgen.programs.runner import Runner, SubprocessRunner
from nixgen.project.overrides import OPTION
from nixgen.project.workspace import SHELL, Workspace

if TYPE_CHECKING:
    from nixgen.debian.lock import Lock

__all__ = [
    "BASES",
    "NO_OVERRIDES",
    "Evaluation",
    "Observer",
    "base_lock",
    "blame",
    "moving_files",
    "offered_mirrors",
    "require_known",
]

BASES = ("debian", "nixpkgs")
NO_OVERRIDES: Mapping[str, Path] = MappingProxyType({})
Observer = Callable[[Any], None]


@attrs.frozen(kw_only=True)
class Evaluation:
    """A tree that is written, with all that its evaluation reads, and what is asked of it.

    :param attrs_wanted: the targets, each a single one.
    :param lock: of the Debian base.
    :param trees: fingerprint of each input that is a folder; as the files were when it was prepared.
    :param keys: of the targets, under which their evaluations are remembered; likewise.
    :param cache: where they are.
    """

    workspace: Workspace
    attrs_wanted: tuple[str, ...]
    origins: Mapping[str, str | None]
    lock: Lock | None
    tree: Tree
    trees: Mapping[Path, str]
    keys: Mapping[str, TargetKey]
    cache: EvaluationCache
    limits: Limits
    keep_going: bool
    debug: bool
    observe: Observer
    runner: Runner
    options: NixOptions

    @classmethod
    def prepare(
        cls,
        workspace: Workspace,
        targets: Iterable[str],
        *,
        base: str,
        environment: str | None = None,
        system: str | None = None,
        overrides: Mapping[str, Path] = NO_OVERRIDES,
        limits: Limits | None = None,
        keep_going: bool = True,
        debug: bool,
        observe: Observer,
    ) -> Evaluation:
        """Write the tree, and find out what each target depends on; Nix is not asked anything.

        :param system: of everything but machines, which say themselves; Nix's own when None.
        :raises InputError: a target, base, environment or override that does not exist, or a wrong lock.
        :raises MissingToolError: there is no Nix.
        """
        require_known(workspace, base, environment, overrides)
        attrs_wanted = workspace.select(targets)
        nix_identity()  # without Nix, nothing is written
        workspace.write_generated()
        lock = base_lock(workspace, base, observe, attrs_wanted)
        tree = Tree(
            file=workspace.generated / "default.nix",
            base=base,
            system=system,
            environment=environment,
            inputs=overrides,
        )
        trees = _fingerprints(workspace, tree)
        return cls(
            workspace=workspace,
            attrs_wanted=attrs_wanted,
            origins={**workspace.target_origins(), SHELL: None},
            lock=lock,
            tree=tree,
            trees=trees,
            keys=_keys(workspace, attrs_wanted, tree, trees),
            cache=EvaluationCache(workspace.state / "cache" / "evaluations"),
            limits=limits or Limits.of_host(),
            keep_going=keep_going,
            debug=debug,
            observe=observe,
            runner=SubprocessRunner(),
            options=NixOptions.of_host(),
        )

    def mirrors(self) -> Iterator[str | None]:
        """What to evaluate with, one after the other."""
        return iter((None,)) if self.lock is None else offered_mirrors(self.lock, self.runner)

    def evaluated(self) -> Evaluated:
        """All that is wanted, with the first mirror that there is, if one is needed."""
        known = self.remembered()
        return self.run(next(self.mirrors())) if known is None else Evaluated(targets=known)

    def remembered(self) -> tuple[Target, ...] | None:
        """All targets, when none has to be evaluated."""
        known = self.cache.load(self._plain_keys)
        if not all(attr in known for attr in self.attrs_wanted):
            return None
        return tuple(known[attr] for attr in self.attrs_wanted)

    def run(self, mirrors: str | None) -> Evaluated:
        """What is remembered, and the rest from Nix.

        :raises EvaluationError, OutsideError, StoreError: as `nixgen.driver.evaluate.evaluate`.
        """
        known = self.cache.load(self._plain_keys)
        self._tell_doubts()
        systems, weights = self.workspace.evaluation_costs()
        found = evaluate(
            attrs.evolve(self.tree, mirrors=mirrors),
            [attr for attr in self.attrs_wanted if attr not in known],
            runner=self.runner,
            options=self.options,
            limits=self.limits,
            costs=Costs(groups=systems, weights=weights, seconds=self.cache.seconds()),
            blame=blame(self.workspace, self.tree, debug=self.debug),
            remembered=len(known),
            keep=self._keep,
            keep_going=self.keep_going,
            observe=self.observe,
        )
        self._forget_what_changed(found.targets)
        targets = {**known, **{target.attr: target for target in found.targets}}
        return Evaluated(
            targets=tuple(targets[attr] for attr in self.attrs_wanted if attr in targets),
            errors=found.errors,
        )

    def forget(self) -> None:
        self.cache.forget(self._plain_keys)

    @property
    def _plain_keys(self) -> Mapping[str, str | None]:
        return {attr: key.key for attr, key in self.keys.items()}

    def _keep(self, target: Target, seconds: float | None) -> None:
        key = self.keys[target.attr].key
        if key is not None:
            self.cache.save(key, target, seconds)

    def _forget_what_changed(self, targets: Iterable[Target]) -> None:
        """Files that were edited while Nix read them: nobody knows what of them it saw."""
        evaluated = [target.attr for target in targets]
        if not evaluated:
            return
        trees = _fingerprints(self.workspace, self.tree)
        now = _keys(self.workspace, evaluated, self.tree, trees)
        before = {attr: self.keys[attr].key for attr in evaluated}
        self.cache.forget({attr: key for attr, key in before.items() if now[attr].key != key})

    def _tell_doubts(self) -> None:
        """Say once why targets cannot be skipped, however many there are."""
        doubted: dict[str, list[str]] = {}
        for attr, key in self.keys.items():
            for doubt in key.reached.doubts:
                doubted.setdefault(doubt, []).append(attr)
        for doubt, attrs_doubted in doubted.items():
            first, *more = attrs_doubted
            who = f"{first} and {len(more)} more are" if more else f"{first} is"
            self.observe(EvaluationSaid(text=f"{who} evaluated every time: {doubt}"))


def _keys(
    workspace: Workspace, attrs_wanted: Iterable[str], tree: Tree, trees: Mapping[Path, str]
) -> Mapping[str, TargetKey]:
    jobs = eval_jobs_program()
    return target_keys(
        workspace.evaluation_rows(attrs_wanted, tree.environment),
        tree.file,
        reach=_reach(workspace),
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


def _reach(workspace: Workspace) -> Reach:
    return Reach(
        root=str(workspace.root),
        state=str(workspace.state),
        generated=str(workspace.generated),
        library=str(workspace.generated / "lib"),
        sources=workspace.source_digests(),
        store=os.environ.get("NIX_STORE_DIR", "/nix/store"),
    )


def moving_files(
    workspace: Workspace, attrs_wanted: Iterable[str], environment: str | None
) -> Mapping[str, Path]:
    """Everything that evaluates to these targets wherever it lies: path relative to the project → the file, link or folder on
    disk. What lies outside of the project begins with ``..``.
    """
    reach = _reach(workspace)
    place = str(workspace.generated / "default.nix")
    found = {
        path
        for row in workspace.evaluation_rows(attrs_wanted, environment).values()
        for path in reach.moving(row, place)
    }
    hand_written = {
        os.path.relpath(path, workspace.root): Path(path) for path in found if os.path.lexists(path)
    }
    return {**hand_written, **workspace.evaluation_tree()}


def _local_trees(workspace: Workspace, tree: Tree) -> Mapping[str, Path]:
    """Input → the folder that it is: overridden ones, and pins that are paths, which have no hash to tell a change by.

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
    """How places in the generated tree, and in trees of inputs, become the user's."""
    return Blame(
        locate=workspace.locate,
        origins=workspace.target_origins(),
        root=workspace.root,
        names={path: name for name, path in tree.inputs.items()},
        debug=debug,
    )


def require_known(
    workspace: Workspace, base: str, environment: str | None, overrides: Mapping[str, Path]
) -> None:
    if base not in BASES:
        raise UsageError(f"there is no base {base!r}", hint=f"the bases are {' and '.join(BASES)}")
    if overrides and base == "debian":
        raise UsageError(
            f"the base debian reads no trees, so {OPTION} {next(iter(overrides))}=… would do nothing",
            hint="add --base nixpkgs",
        )
    names = [item.name for item in workspace.project.environments]
    if environment is not None and environment not in names:
        raise UsageError(
            f"the project has no environment {environment!r}",
            hint=f"it has {', '.join(names)}"
            if names
            else "add Environment(…) to Project(environments=[…])",
        )


def base_lock(
    workspace: Workspace, base: str, observe: Observer, targets: Iterable[str] = ()
) -> Lock | None:
    """What the Debian base reads for these targets; made where there is none. None on other bases."""
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


def offered_mirrors(lock: Lock, runner: Runner) -> Iterator[str]:
    """Make the base's builder available, then offer this computer's mirrors one after the other."""
    from nixgen.debian.bootstrap import ensure_busybox
    from nixgen.debian.locking import machine_mirrors
    from nixgen.debian.mirrors import Mirrors, mirrors_env

    mirrors = machine_mirrors(runner)
    for architecture in lock.architectures.values():
        ensure_busybox(architecture, mirrors, runner)
    for index in range(max(len(mirrors.debian), len(mirrors.security))):
        yield mirrors_env(
            Mirrors(
                debian=mirrors.debian[index % len(mirrors.debian) :],
                security=mirrors.security[index % len(mirrors.security) :],
            )
        )
