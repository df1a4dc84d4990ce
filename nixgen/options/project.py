"""The list of options of a project, and the project's values checked against it."""

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
#: The input that contains NixOS.
_INPUT = "nixpkgs"


@attrs.define(slots=False)
class ProjectOptions:
    """The list of options of one project.

    :param root: The folder of the project.
    :param project: The models of the project.
    :param inputs: A function that reads the pins, called only when they are needed.
    """

    root: Path
    project: Project
    _inputs: Callable[[], Inputs]

    @property
    def path(self) -> Path:
        return self.root / FILE

    @cached_property
    def stub(self) -> Stub | None:
        """The list of options; None if the project has no list.

        :raises LockError: The list is unreadable.
        """
        from nixgen.options.stub import Stub

        return Stub.read(self.path)

    def write(self, stub: Stub) -> bool:
        """Write the list of options beside infra.py.

        :param stub: The new list.
        :returns: Whether the file changed.
        :raises StoreError: The disk is full, read-only or not ours.
        """
        text = stub.text().encode()
        changed = not self.path.exists() or self.path.read_bytes() != text
        if changed:
            write_atomically(self.path, text)
        self.__dict__.pop("_findings", None)
        self.stub = stub
        return changed

    @property
    def pin(self) -> str | None:
        """The hash or source of the pinned nixpkgs, which identifies it; None without a pin.

        :raises LockError: flake-inputs.json is missing or wrong.
        """
        pin = self._inputs().pins.get(_INPUT)
        return None if pin is None else str(pin.fields.get("narHash") or pin.origin)

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """Path of each hand-written Nix module → its SHA-256.

        The digest of a folder covers the names and contents of all files in it.
        """
        return {path: _digest(self.root / path) for path in modules(self.project)}

    def staleness(self) -> tuple[str, ...]:
        """The reasons why the list may not match the pinned nixpkgs and the modules.

        The result is empty without a list, and for a list that was made from NixOS's documentation.

        :raises LockError: The list or flake-inputs.json is missing or wrong.
        """
        if self.stub is None or not self.stub.provenance.complete:
            return ()
        return self.stub.provenance.stale(self.pin, self.modules)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The values that NixOS would refuse, with places relative to the project; empty without a
        list.
        """
        return tuple(map(self._placed, self._findings.problems)) if self._findings else ()

    @property
    def notes(self) -> tuple[Problem, ...]:
        """The values that NixOS accepts with a warning, with places relative to the project."""
        return tuple(map(self._placed, self._findings.notes)) if self._findings else ()

    def require_sound(self) -> None:
        """Report problems now, and not only after an evaluation.

        :raises ModelError: There are problems.
        """
        problems = self.problems
        if problems:
            raise ModelError(problems, hint=self._doubt())

    @cached_property
    def _findings(self) -> Findings | None:
        """The result of the check; None without options to check or without a list.

        The check is imported only when it is needed, since most projects set no options.
        """
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
        """A hint that the list is out of date, so the problems may be wrong; None if it is current."""
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
