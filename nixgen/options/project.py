"""A project and its list of options."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nixgen.documents.inputs import Inputs
from nixgen.errors import LockError, ModelError, Problem
from nixgen.files.write import write_atomically
from nixgen.models import NixModule, Project
from nixgen.options.definitions import definitions, modules

if TYPE_CHECKING:
    from nixgen.options.checking import Findings
    from nixgen.options.stub import Stub

__all__ = ["FILE", "ProjectOptions"]

FILE = "nixos-options.json"
#: the input that has NixOS in it
_INPUT = "nixpkgs"


@attrs.define(slots=False)
class ProjectOptions:
    """
    :param root: the project's folder.
    :param inputs: reads the pins, when they are asked for.
    """

    root: Path
    project: Project
    _inputs: Callable[[], Inputs]

    @property
    def path(self) -> Path:
        return self.root / FILE

    @cached_property
    def stub(self) -> Stub | None:
        """The list, if the project has one.

        :raises LockError: it is unreadable.
        """
        from nixgen.options.stub import Stub

        return Stub.read(self.path)

    def write(self, stub: Stub) -> bool:
        """Whether that changed anything.

        :raises StoreError: the disk is full, read-only or not ours.
        """
        text = stub.text().encode()
        changed = not self.path.exists() or self.path.read_bytes() != text
        if changed:
            write_atomically(self.path, text)
        self.__dict__.pop("_found", None)
        self.stub = stub
        return changed

    @property
    def pin(self) -> str | None:
        """What tells one pinned nixpkgs from another; None when none is pinned.

        :raises LockError: flake-inputs.json is missing or wrong.
        """
        pin = self._inputs().pins.get(_INPUT)
        return None if pin is None else str(pin.fields.get("narHash") or pin.origin)

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """Path → SHA-256, of every hand-written Nix module; of a folder, over the names and contents of what is in it."""
        return {path: _digest(self.root / path) for path in modules(self.project)}

    def staleness(self) -> tuple[str, ...]:
        """Why the list may be another one than that of what is pinned; empty without a list, or for a documentation's.

        :raises LockError: the list or flake-inputs.json is missing or wrong.
        """
        if self.stub is None or not self.stub.provenance.complete:
            return ()
        return self.stub.provenance.stale(self.pin, self.modules)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What NixOS would refuse; empty without a list. Places are relative to the project."""
        return tuple(map(self._placed, self._found.problems)) if self._found else ()

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What NixOS takes, but would rather have otherwise."""
        return tuple(map(self._placed, self._found.notes)) if self._found else ()

    def require_sound(self) -> None:
        """:raises ModelError: there are problems; told now, and not after an evaluation."""
        problems = self.problems
        if problems:
            raise ModelError(problems, hint=self._doubt())

    @cached_property
    def _found(self) -> Findings | None:
        """None when there is nothing to check, or to check it against; most projects load nothing for that."""
        given = tuple(definitions(self.project, self._lists))
        if not given or not self.path.exists() or self.stub is None:
            return None
        from nixgen.options.checking import check_definitions

        return check_definitions(given, self.stub)

    def _lists(self, module: NixModule) -> bool:
        """Whether the list has the options that a module declares as it is now."""
        if not self.path.exists():
            return False
        known = self.stub.provenance.modules if self.stub else {}
        return module.path in known and known[module.path] == self.modules[module.path]

    def _doubt(self) -> str | None:
        """Why the problems may be none, if there is a reason."""
        stale: tuple[str, ...] = ()
        with contextlib.suppress(LockError):  # there are problems enough to tell of
            stale = self.staleness()
        if not stale:
            return None
        return f"{FILE} may be out of date: {'; '.join(stale)}; nixgen inputs options reads it anew"

    def _placed(self, problem: Problem) -> Problem:
        where = problem.where and problem.where.removeprefix(f"{self.root}/")
        return Problem(problem.path, problem.message, where=where, hint=problem.hint)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file():
            content = file.read_bytes()
            digest.update(b"%s\0%d\0" % (str(file.relative_to(path)).encode(), len(content)))
            digest.update(content)
    return digest.hexdigest()
