"""Print expressions into files, and write them without losing files of the user."""

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
