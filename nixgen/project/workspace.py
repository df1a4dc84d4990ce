"""One project on disk: its models, its pins, its targets, its sources and its packages."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import attrs

from nixgen.documents.inputs import FILE as INPUTS_FILE
from nixgen.documents.inputs import Inputs
from nixgen.documents.jsontext import JsonText
from nixgen.errors import ModelError, Problem, UsageError, closest, closest_word
from nixgen.files.write import write_atomically
from nixgen.lowering import KINDS, SHELL
from nixgen.models import (
    Cache,
    NixModule,
    Project,
    Secret,
    Source,
    packages_of,
    sources_of,
    walk,
)
from nixgen.options.project import ProjectOptions
from nixgen.project.infra_reads import Reads, recording
from nixgen.project.load import load_project
from nixgen.project.overrides import parse_overrides
from nixgen.project.sources import Sources, ignore_table, private_files, source_faults
from nixgen.render import FileTree, SourceMap

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
        """The folder of the generated tree, which is committed."""
        return self.root / "generated"

    @property
    def state(self) -> Path:
        """The folder of nixgen's state between runs. It is never committed, and safe to delete."""
        return self.root / ".nixgen"

    @property
    def lock_path(self) -> Path:
        """The lock of Debian packages."""
        return self.root / "debian.lock.json"

    @property
    def inputs_path(self) -> Path:
        """The project's own flake-inputs.json, which need not exist."""
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
        """The options of NixOS that infra.py sets, and the project's list of options."""
        return ProjectOptions(self.root, self.project, lambda: self.inputs)

    def write_inputs(self, text: JsonText) -> None:
        """Replace flake-inputs.json, and drop everything computed from the old file.

        :param text: the new document.
        :raises StoreError: the disk is full or read-only.
        """
        write_atomically(self.root / INPUTS_FILE, text.text.encode())
        for known in ("inputs", "rendered"):
            self.__dict__.pop(known, None)

    def overrides(self, words: Iterable[str] | None) -> Mapping[str, Path]:
        """Input → the local tree that replaces its pin.

        Without words, flake-inputs.json is not read.

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
            attr: self.relative(str(origin)) if origin else None
            for attr, origin in target_origins(self.project).items()
        }

    def select(self, wanted: Iterable[str] = (), *, kind: str = "") -> tuple[str, ...]:
        """The selected targets. The shell is selected only by its name.

        :param wanted: names of targets or of whole kinds, such as ``images``; empty for all
            targets.
        :param kind: the kind that the verb takes, which an error suggests names of. Empty: any.
        :raises UsageError: no target or kind has one of the names.
        """
        known = (*self.target_origins(), SHELL)
        chosen: set[str] = set()
        for name in tuple(wanted) or KINDS:
            matching = [attr for attr in known if name in (attr, attr.partition(".")[0])]
            if not matching and name not in KINDS:
                raise UsageError(
                    f"the project has no target {name!r}",
                    hint=_suggestion(name, known, kind) or "`nixgen list` names them",
                )
            chosen.update(matching)
        return tuple(attr for attr in known if attr in chosen)

    def relative(self, where: str) -> str:
        """A place of the project as people write it, from the folder of infra.py.

        :param where: an absolute path, with or without a line.
        """
        return where.removeprefix(f"{self.root}/")

    @cached_property
    def sources(self) -> Sources:
        """The local sources as they were when the project was opened. `look` reads them again."""
        return self.look()

    def look(self) -> Sources:
        """The local sources as they are now."""
        return Sources(str(self.root))

    def local_sources(self) -> tuple[tuple[str, Source], ...]:
        """Local sources with their model path, in a stable order."""
        return tuple(sources_of(self.project))

    def notes(self) -> Iterator[Problem]:
        """Faults that stop no command: of options, and of files that look like secrets."""
        yield from self.options.notes
        yield from private_files(self.sources, self.local_sources())

    def _require_files(self) -> None:
        """Refuse missing files. Nix would report them far from the line that names them."""
        problems = (*source_faults(self.sources, self.local_sources()), *self._missing_modules())
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
                where=self.relative(str(module.origin)) if module.origin else None,
                hint="create it, or correct the path; it is relative to the folder of infra.py",
            )

    @cached_property
    def rendered(self) -> tuple[FileTree, SourceMap]:
        """The generated tree as it should be, in memory, with the user's line behind each part."""
        from nixgen.lowering import lower
        from nixgen.render import render

        ignored = ignore_table(self.sources, self.local_sources())
        own = self.inputs_path.exists()
        return render(lower(self.project, ignored, inputs=self.inputs, own_pins=own))

    # packages

    def wanted_packages(self) -> Mapping[str, tuple[str, ...]]:
        """Attribute name → the Debian packages that the project names for it, if any. A library of
        an interpreter has its attribute path, such as ``python3Packages.flask``.
        """
        from nixgen.lowering import implied_packages

        wanted: dict[str, tuple[str, ...]] = {}
        for _, package in packages_of(self.project):
            wanted[package.name] = package.debian
            wanted.update(dict.fromkeys(package.libraries, ()))
        for package in implied_packages(self.project.tests):
            wanted.setdefault(package.name, package.debian)
        return wanted

    def package_places(self) -> Mapping[str, tuple[str, str | None]]:
        """Attribute name → (model path, the user's ``file:line``). A library of an interpreter has
        its attribute path.
        """
        places = {}
        for path, package in packages_of(self.project):
            where = self.relative(str(package.origin)) if package.origin else None
            places[package.name] = path, where
            for index, library in enumerate(package.libraries):
                places.setdefault(library, (f"{path}.with_packages[{index}]", where))
        return places


def _suggestion(name: str, known: Iterable[str], kind: str) -> str | None:
    """The hint for a name that is no target: ``webb`` → ``did you mean machines.web?``.

    :param name: as typed, with or without a kind.
    :param known: every target.
    :param kind: the only kind that counts; empty for all.
    """
    targets = [attr for attr in known if attr.startswith(f"{kind}." if kind else "")]
    meant = {word: word for word in (*targets, *([kind] if kind else KINDS))}
    for attr in targets:
        meant.setdefault(attr.partition(".")[2] or attr, attr)
    close = closest_word(name, meant)
    return None if close is None else f"did you mean {meant[close]}?"
