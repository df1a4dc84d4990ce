"""The files and texts that the evaluation and the build of a project depend on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from nixgen.lowering import needs_packages, target_rows
from nixgen.models import Source
from nixgen.project.workspace import Workspace
from nixgen.render import library_files, printed

__all__ = [
    "build_dependencies",
    "evaluation_rows",
    "evaluation_tree",
    "needs_packages",
    "products",
    "source_digests",
]


def build_dependencies(workspace: Workspace) -> set[str]:
    """Every path that the result of a build depends on.

    The paths of nixgen itself, of the reads of infra.py, and of sources, pins and generated/.

    :param workspace: the project.
    """
    code = {
        file
        for name, module in sys.modules.items()
        if name.partition(".")[0] == "nixgen" and (file := getattr(module, "__file__", None))
    }
    look = workspace.look()
    sources = {path for _, each in workspace.local_sources() for path in look.dependencies(each)}
    read = {workspace.inputs_path, workspace.options.path, workspace.root / "infra.py"}
    library = map(str, library_files())
    own = products(workspace)
    return {*code, *library, *workspace.reads.paths, *sources, *own, *map(str, read)}


def products(workspace: Workspace) -> set[str]:
    """The files that a build may write itself before it evaluates.

    :param workspace: the project.
    """
    return {str(workspace.lock_path), *map(str, _generated_files(workspace))}


def evaluation_tree(workspace: Workspace) -> Mapping[str, Path]:
    """Path from the project → the file, link or folder on disk, for everything that Nix evaluates.

    These are generated files, pins and local sources. The path of anything outside of the project
    begins with ``..``.

    :param workspace: the project.
    """
    found = {workspace.lock_path, workspace.inputs_path, *_generated_files(workspace)}
    look = workspace.look()
    for _, source in workspace.local_sources():
        found.update(Path(entry.path) for entry in look.listing(source).entries)
    return {
        os.path.relpath(path, workspace.root): path
        for path in sorted(found)
        if path.exists() or path.is_symlink()
    }


def _generated_files(workspace: Workspace) -> Iterable[Path]:
    tree, _ = workspace.rendered
    return (workspace.generated / path for path in tree)


def source_digests(workspace: Workspace) -> Mapping[str, Callable[[], bytes]]:
    """Folder or file of each local source → a function that digests the files Nix will see.

    :param workspace: the project.
    """
    look = workspace.look()
    found: dict[str, list[Source]] = {}
    for _, source in workspace.local_sources():
        found.setdefault(look.place(source), []).append(source)

    def digest(sources: Iterable[Source]) -> bytes:
        return b"".join(map(look.digest, sources))

    return {place: partial(digest, sources) for place, sources in found.items()}


def evaluation_rows(
    workspace: Workspace, attrs_wanted: Iterable[str], environment: str | None
) -> Mapping[str, bytes]:
    """Target → the text of generated/default.nix if the project had only this target.

    This text is the part of generated/default.nix that the target reads.

    :param workspace: the project.
    :param attrs_wanted: the targets.
    :param environment: the name of the environment, if any.
    """
    rows = target_rows(workspace.project, environment)
    return {attr: printed(rows[attr]()) for attr in attrs_wanted}
