"""Projects of tests, as files on disk."""

from __future__ import annotations

from pathlib import Path

from nixgen.lowering import lower
from nixgen.models import Project
from nixgen.project.load import load_project
from nixgen.render import apply, plan, render

__all__ = ["generate", "generate_at"]


def generate(project: Project, folder: Path) -> None:
    """Write ``folder/generated`` of a project that has no files of its own."""
    tree, _ = render(lower(project))
    apply(plan(tree, folder / "generated"))


def generate_at(folder: Path) -> Project:
    """Write ``folder/generated`` of the project that ``folder/infra.py`` describes, and return that."""
    project = load_project(folder)
    generate(project, folder)
    return project
