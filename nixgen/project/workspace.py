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
    """A project and its folder.

    :param root: the folder, absolute and without links.
    :param project: the models that infra.py defines.
    :param reads: the files, folders and variables that infra.py read.
    :param opened: the time before the first file was read, in nanoseconds since 1970.
    """

    root: Path
    project: Project
    reads: Reads
    opened: int = attrs.field(factory=time.time_ns)

    @classmethod
    def open(cls, folder: Path, *, check_options: bool = True) -> Workspace:
        """Load the project in a folder and check it.

        :param folder: the folder of infra.py.
        :param check_options: whether options that NixOS would refuse are problems. False while the
            list of options is being replaced.
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
        """The folder of nixgen's state between runs. It is never committed, and safe to delete."""
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
        """The pins of the project's flake-inputs.json, or nixgen's own pins if the file is missing.

        :raises LockError: flake-inputs.json is wrong.
        """
        return Inputs.read(self.pins_path)

    @cached_property
    def options(self) -> ProjectOptions:
        return ProjectOptions(self.root, self.project, lambda: self.inputs)

    def write_inputs(self, text: JsonText) -> None:
        """Replace flake-inputs.json, and drop everything computed from the old file.

        :param text: the new document.
        :raises StoreError: the disk is full or read-only.
        """
        write_atomically(self.root / INPUTS_FILE, text.text.encode())
        for known in ("inputs", "_rendered"):
            self.__dict__.pop(known, None)

    def overrides(self, words: Iterable[str] | None) -> Mapping[str, Path]:
        """Input → the local tree that replaces its pin. Without words, flake-inputs.json is not read.

        :param words: words of the form ``NAME=PATH``.
        :raises UsageError: a word is wrong, see `parse_overrides`.
        """
        return parse_overrides(words, self.inputs) if words else {}

    def cache(self, name: str) -> Cache | None:
        """The cache of the project with a given name; None if ``name`` is an address.

        :param name: the name of a cache, or an address such as ``s3://bucket``.
        :raises UsageError: the project has no cache of this name.
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
        """The builders of the project in the format of Nix's machines file."""
        from nixgen.lowering import machine_lines

        return "\n".join(machine_lines(self.project))

    def secrets(self) -> Iterator[tuple[str, str]]:
        """The name of each secret, and the path of its file on the machine."""
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
        """The selected targets. The shell is selected only by its name.

        :param wanted: names of targets or of whole kinds, such as ``images``; empty for all targets.
        :raises UsageError: no target or kind has one of the names.
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
        """The local sources as they were when the project was opened. `look` reads them again."""
        return self.look()

    def look(self) -> Sources:
        """The local sources as they are now."""
        return Sources(str(self.root))

    def _sources(self) -> tuple[tuple[str, Source], ...]:
        """Local sources with their model path, in a stable order."""
        return tuple(sources_of(self.project))

    def _require_files(self) -> None:
        """Refuse missing files now, because Nix would report them far from the line that names them."""
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
        """Write generated/.

        :param changes: the changes to apply; by default those of `plan_generated`.
        :raises UsageError: a file of the user is in the way.
        """
        changes = changes or self.plan_generated()
        apply(changes)
        return changes

    def locate(self, path: str, line: int) -> str | None:
        """The user's ``file:line`` behind a line of a generated file or of a hand-written Nix module.

        :param path: the absolute path of the file.
        :param line: the line in it, from 1.
        """
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
        """Attribute names of the programs that nixgen itself runs, which every shell has."""
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
        """Every path that the result of a build depends on.

        The paths of nixgen itself, of the reads of infra.py, and of sources, pins and generated/.
        """
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
        """Path from the project → the file, link or folder on disk, for everything Nix evaluates.

        These are generated files, pins and local sources. The path of anything outside of the project
        begins with ``..``.
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
        """The text of the files that make a channel of the project.

        :param name: the name of the channel.
        :param targets: the attribute, system and main output of each target.
        :param tree: the path of generated/ in the channel.
        :param base: the base that provides packages, such as ``debian``.
        :param environment: the name of the environment, if any.
        :param substituters: the URLs of the caches, the channel's own cache first.
        :param keys: the public keys that clients need.
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
        """Folder or file of each local source → a function that digests the files Nix will see."""
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
        """Target → the text of generated/default.nix if the project had only this target.

        This text is the part of generated/default.nix that the target reads.

        :param attrs_wanted: the targets.
        :param environment: the name of the environment, if any.
        """
        from nixgen.lowering import target_rows
        from nixgen.render import printed

        rows = target_rows(self.project, environment)
        return {attr: printed(rows[attr]()) for attr in attrs_wanted}

    def evaluation_costs(self) -> tuple[Mapping[str, str], Mapping[str, float]]:
        """The systems of targets, and the relative costs of evaluating targets.

        :returns: target → its system, only for targets that set one; target → its cost, in multiples
            of the cost of one machine.
        """
        systems = {f"machines.{item.name}": item.system for item in self.project.machines}
        weights = {
            **{f"images.{item.name}": 0.2 for item in self.project.images},
            **{f"packages.{item.name}": 0.1 for item in self.project.packages},
            **{f"tests.{item.name}": 0.5 + len(item.machines) for item in self.project.tests},
        }
        return systems, weights
