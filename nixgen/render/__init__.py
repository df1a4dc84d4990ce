"""Expressions → files: templates, the file tree, and writing it without losing anything."""

from nixgen.render.resources import (
    default_inputs,
    library_files,
    nix_library,
    requirements,
    template_folder,
)
from nixgen.render.tree import FileTree, SourceMap, printed, render
from nixgen.render.write import Changes, apply, difference, plan

__all__ = [
    "Changes",
    "FileTree",
    "SourceMap",
    "apply",
    "default_inputs",
    "difference",
    "library_files",
    "nix_library",
    "plan",
    "printed",
    "render",
    "requirements",
    "template_folder",
]
