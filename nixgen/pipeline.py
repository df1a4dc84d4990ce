"""generate, build, push, assemble, test: read from the top down.

A `Workspace` is one project on disk. Its methods are the steps that the command line and the demo are made of; they
return values and report progress through ``observe``, and print nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import attrs

from nixgen.load import load_project
from nixgen.models import Project
from nixgen.render import Changes, FileTree, SourceMap, apply, plan

__all__ = ["Workspace"]


@attrs.define(slots=False)
class Workspace:
    """A project and its folder."""

    root: Path
    project: Project

    @classmethod
    def open(cls, folder: Path) -> Workspace:
        """:raises InputError: infra.py is missing, broken, or describes something impossible."""
        root = folder.resolve()
        return cls(root, load_project(root))

    @property
    def generated(self) -> Path:
        return self.root / "generated"

    @property
    def state(self) -> Path:
        """What nixgen remembers between runs; never committed, and safe to delete."""
        return self.root / ".nixgen"

    def target_origins(self) -> Mapping[str, str | None]:
        """Every target with the user's ``file:line``, relative to the project."""
        from nixgen.lowering import target_origins

        return {
            attr: self._relative(str(origin)) if origin else None
            for attr, origin in target_origins(self.project).items()
        }

    def _relative(self, where: str) -> str:
        return where.removeprefix(f"{self.root}/")

    @cached_property
    def _rendered(self) -> tuple[FileTree, SourceMap]:
        from nixgen.lowering import lower
        from nixgen.render import render

        return render(lower(self.project))

    def plan_generated(self) -> Changes:
        tree, _ = self._rendered
        return plan(tree, self.generated)

    def write_generated(self, changes: Changes | None = None) -> Changes:
        changes = changes or self.plan_generated()
        apply(changes)
        return changes

    def locate(self, path: str, line: int) -> str | None:
        """The user's ``file:line`` for a line of a file below generated/."""
        _, source_map = self._rendered
        where = source_map.locate(path, line)
        return self._relative(where) if where else None
