"""One project on disk: its models, its pins, its generated tree."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nixgen.documents.inputs import FILE as INPUTS_FILE
from nixgen.documents.inputs import Inputs
from nixgen.documents.jsontext import JsonText
from nixgen.errors import ModelError, Problem, UsageError, closest
from nixgen.files.write import write_atomically
from nixgen.lowering import KINDS, SHELL
from nixgen.models import (
    Cache,
    NixModule,
    Package,
    Project,
    Secret,
    Source,
    packages_of,
    sources_of,
    walk,
)
from nixgen.options.project import ProjectOptions
from nixgen.project.load import load_project
from nixgen.project.overrides import parse_overrides
from nixgen.project.reads import Reads, recording
from nixgen.project.sources import Sources, ignore_table, source_faults
from nixgen.render import Changes, FileTree, SourceMap, apply, library_files, plan, requirements

if TYPE_CHECKING:
    from nixgen.render.channel import ChannelText

__all__ = ["SHELL", "Workspace"]


@attrs.define(slots=False)
class Workspace:
    """A project and its folder."""

    root: Path
    project: Project
    reads: Reads
    #: when it was, in nanoseconds: before the first file was read
    opened: int = attrs.field(factory=time.time_ns)

    @classmethod
    def open(cls, folder: Path, *, check_options: bool = True) -> Workspace:
        """
        :param check_options: whether options that NixOS would refuse are problems; not for who reads their list anew.
        :raises InputError: infra.py is missing, broken, or describes something impossible.
        """
        opened = time.time_ns()
        root = folder.resolve()
        with recording() as reads:
            project = load_project(root)
        workspace = cls(root, project, reads, opened)
        workspace._require_files()
        if check_options:
            workspace.options.require_sound()
        return workspace

    @property
    def generated(self) -> Path:
        return self.root / "generated"

    @property
    def state(self) -> Path:
        """What nixgen remembers between runs; never committed, and safe to delete."""
        return self.root / ".nixgen"

    @property
    def lock_path(self) -> Path:
        return self.root / "debian.lock.json"

    @property
    def inputs_path(self) -> Path:
        return self.root / INPUTS_FILE

    @property
    def pins_path(self) -> Path:
        """The file that the pins are read from: the project's own, or the one that nixgen ships."""
        from nixgen.render import default_inputs

        return self.inputs_path if self.inputs_path.exists() else default_inputs()

    @cached_property
    def inputs(self) -> Inputs:
        """The pins: of the project's flake-inputs.json, or those that nixgen ships where it has none.

        :raises LockError: flake-inputs.json is wrong.
        """
        return Inputs.read(self.pins_path)

    @cached_property
    def options(self) -> ProjectOptions:
        return ProjectOptions(self.root, self.project, lambda: self.inputs)

    def write_inputs(self, text: JsonText) -> None:
        """Replace flake-inputs.json, and forget what came of it.

        :raises StoreError: the disk is full or read-only.
        """
        write_atomically(self.root / INPUTS_FILE, text.text.encode())
        for known in ("inputs", "_rendered"):
            self.__dict__.pop(known, None)

    def overrides(self, words: Iterable[str] | None) -> Mapping[str, Path]:
        """The trees that stand for pins, from ``NAME=PATH`` words; without any, flake-inputs.json is not read.

        :raises UsageError: as `parse_overrides`.
        """
        return parse_overrides(words, self.inputs) if words else {}

    def cache(self, name: str) -> Cache | None:
        """The project's cache of that name; None when ``name`` is an address.

        :raises UsageError: it is neither.
        """
        if "://" in name:
            return None
        known = {cache.name: cache for cache in self.project.caches}
        if name not in known:
            raise UsageError(
                f"the project has no cache {name!r}",
                hint=closest(name, known)
                or 'give an address like s3://bucket, or add Cache("NAME", "s3://…") to Project(caches=[…])',
            )
        return known[name]

    def machines_file(self) -> str:
        """The project's builders as Nix's machines file."""
        from nixgen.lowering import machine_lines

        return "\n".join(machine_lines(self.project))

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Name of each secret, and the file that it is on its machine."""
        for _, value in walk(self.project):
            if isinstance(value, Secret):
                yield value.name, value.path

    # targets

    def target_origins(self) -> Mapping[str, str | None]:
        """Every target with the user's ``file:line``, relative to the project."""
        from nixgen.lowering import target_origins

        return {
            attr: self._relative(str(origin)) if origin else None
            for attr, origin in target_origins(self.project).items()
        }

    def select(self, wanted: Iterable[str] = ()) -> tuple[str, ...]:
        """The targets that are meant: whole kinds (``images``), single ones, or all when nothing is named; that of the shell only
        when it is named.

        :raises UsageError: nothing is called that.
        """
        known = (*self.target_origins(), SHELL)
        chosen: set[str] = set()
        for name in tuple(wanted) or KINDS:
            matching = [attr for attr in known if name in (attr, attr.partition(".")[0])]
            if not matching and name not in KINDS:
                raise UsageError(
                    f"the project has no target {name!r}",
                    hint=closest(name, [*known, *KINDS]) or "`nixgen list` names them",
                )
            chosen.update(matching)
        return tuple(attr for attr in known if attr in chosen)

    def _relative(self, where: str) -> str:
        return where.removeprefix(f"{self.root}/")

    @cached_property
    def sources(self) -> Sources:
        """The local sources as they were when the project was opened; `look` for what they are now."""
        return self.look()

    def look(self) -> Sources:
        return Sources(str(self.root))

    def _sources(self) -> tuple[tuple[str, Source], ...]:
        """Local sources with their model path, in a stable order."""
        return tuple(sources_of(self.project))

    def _require_files(self) -> None:
        """A file that is not there would fail in Nix, far from where it was written."""
        problems = (*source_faults(self.sources, self._sources()), *self._missing_modules())
        if problems:
            raise ModelError(problems)

    def _missing_modules(self) -> Iterator[Problem]:
        for path, module in walk(self.project):
            if not isinstance(module, NixModule):
                continue
            place = self.root / module.path
            if place.is_file() or (place / "default.nix").is_file():
                continue
            message = (
                f"the folder {module.path} has no default.nix"
                if place.is_dir()
                else f"there is no {module.path} in the project"
            )
            yield Problem(
                path,
                message,
                where=self._relative(str(module.origin)) if module.origin else None,
                hint="create it, or correct the path; it is relative to the folder of infra.py",
            )

    # generate

    @cached_property
    def _rendered(self) -> tuple[FileTree, SourceMap]:
        from nixgen.lowering import lower
        from nixgen.render import render

        ignored = ignore_table(self.sources, self._sources())
        own = self.inputs_path.exists()
        return render(lower(self.project, ignored, inputs=self.inputs, own_pins=own))

    def plan_generated(self) -> Changes:
        tree, _ = self._rendered
        return plan(tree, self.generated)

    def write_generated(self, changes: Changes | None = None) -> Changes:
        """:raises UsageError: a file of the user's is in the way."""
        changes = changes or self.plan_generated()
        apply(changes)
        return changes

    def locate(self, path: str, line: int) -> str | None:
        """The user's ``file:line`` for a line of a file below generated/, and for one of a module that the user wrote in Nix."""
        if not path.startswith(f"{self.generated}/"):
            own = path.startswith(f"{self.root}/")
            return f"{self._relative(path)}:{line}" if own else None
        _, source_map = self._rendered
        where = source_map.locate(path.removeprefix(f"{self.generated}/"), line)
        return self._relative(where) if where else None

    # what the evaluation reads beside generated/

    def wanted_packages(self) -> Mapping[str, tuple[str, ...]]:
        """Attribute name → the Debian packages that the project names for it, if any."""
        from nixgen.lowering import implied_packages

        wanted = {package.name: package.debian for _, package in self._packages()}
        for package in implied_packages(self.project.tests):
            wanted.setdefault(package.name, package.debian)
        return wanted

    def required_packages(self) -> tuple[str, ...]:
        """Attribute names of what nixgen itself runs, which shells have beside the project's tools."""
        return requirements()

    def package_places(self) -> Mapping[str, tuple[str, str | None]]:
        """Attribute name → (model path, the user's ``file:line``)."""
        return {
            package.name: (path, self._relative(str(package.origin)) if package.origin else None)
            for path, package in self._packages()
        }

    def _packages(self) -> Iterator[tuple[str, Package]]:
        return packages_of(self.project)

    def dependencies(self) -> set[str]:
        """Paths whose change may change what is built: nixgen itself, what infra.py looked at, sources, pins, generated/."""
        code = {
            file
            for name, module in sys.modules.items()
            if name.partition(".")[0] == "nixgen" and (file := getattr(module, "__file__", None))
        }
        tree, _ = self._rendered
        look = self.look()
        sources = {path for _, source in self._sources() for path in look.dependencies(source)}
        own = {str(self.generated / path) for path in tree}
        read = {self.lock_path, self.inputs_path, self.options.path, self.root / "infra.py"}
        library = map(str, library_files())
        return {*code, *library, *self.reads.paths, *sources, *own, *map(str, read)}

    def products(self) -> set[str]:
        """Files that a build may write itself before it evaluates."""
        tree, _ = self._rendered
        return {str(self.lock_path), *(str(self.generated / path) for path in tree)}

    def evaluation_tree(self) -> Mapping[str, Path]:
        """The files that nixgen writes, pins and local sources: path relative to the project → the file, link or folder on disk.

        What lies outside of the project begins with ``..``.
        """
        tree, _ = self._rendered
        found = {self.lock_path, self.inputs_path, *(self.generated / path for path in tree)}
        look = self.look()
        for _, source in self._sources():
            found.update(Path(entry.path) for entry in look.listing(source).entries)
        return {
            os.path.relpath(path, self.root): path
            for path in sorted(found)
            if path.exists() or path.is_symlink()
        }

    def channel_text(
        self,
        name: str,
        targets: Iterable[tuple[str, str, str]],
        *,
        tree: str,
        base: str,
        environment: str | None,
        substituters: Iterable[str],
        keys: Iterable[str],
    ) -> ChannelText:
        """The files that make a channel of the project.

        :param targets: attribute, system and main output of each.
        :param tree: where generated/ will lie in the channel.
        :param substituters: the cache itself first.
        """
        from nixgen.render.channel import ChannelTarget, ChannelText

        return ChannelText(
            name=name,
            project=self.project.name,
            tree=tree,
            base=base,
            environment=environment,
            substituters=tuple(substituters),
            keys=tuple(keys),
            targets=tuple(ChannelTarget(*target) for target in targets),
        )

    def source_digests(self) -> Mapping[str, Callable[[], bytes]]:
        """Folder or file of each local source → what makes a digest of what Nix will see of it."""
        look = self.look()
        found: dict[str, list[Source]] = {}
        for _, source in self._sources():
            found.setdefault(look.place(source), []).append(source)

        def digest(sources: Iterable[Source]) -> bytes:
            return b"".join(map(look.digest, sources))

        return {place: partial(digest, sources) for place, sources in found.items()}

    def evaluation_rows(
        self, attrs_wanted: Iterable[str], environment: str | None
    ) -> Mapping[str, bytes]:
        """Target → generated/default.nix as it would be if the project had this target alone: all of it that the target reads."""
        from nixgen.lowering import target_rows
        from nixgen.render import printed

        rows = target_rows(self.project, environment)
        return {attr: printed(rows[attr]()) for attr in attrs_wanted}

    def evaluation_costs(self) -> tuple[Mapping[str, str], Mapping[str, float]]:
        """Target → its system, when it has one of its own; and how much there is to evaluate, a machine being 1."""
        systems = {f"machines.{item.name}": item.system for item in self.project.machines}
        weights = {
            **{f"images.{item.name}": 0.2 for item in self.project.images},
            **{f"packages.{item.name}": 0.1 for item in self.project.packages},
            **{f"tests.{item.name}": 0.5 + len(item.machines) for item in self.project.tests},
        }
        return systems, weights
