"""The folder generated/: compare it, write it, and find the user's line behind its lines."""

from __future__ import annotations

from nixgen.project.workspace import Workspace
from nixgen.render import Changes, apply, difference, plan

__all__ = ["Changes", "difference", "locate", "plan_generated", "write_generated"]


def plan_generated(workspace: Workspace) -> Changes:
    """Compare generated/ with the tree that the models make. Nothing is written.

    :param workspace: the project.
    """
    tree, _ = workspace.rendered
    return plan(tree, workspace.generated)


def write_generated(workspace: Workspace, changes: Changes | None = None) -> Changes:
    """Write generated/.

    :param workspace: the project.
    :param changes: the changes to apply; by default those of `plan_generated`.
    :raises UsageError: a file of the user is in the way.
    :raises StoreError: the disk is full or read-only.
    """
    changes = changes or plan_generated(workspace)
    apply(changes)
    return changes


def locate(workspace: Workspace, path: str, line: int) -> str | None:
    """The user's ``file:line`` behind a line of a generated file or of a hand-written Nix module.

    :param workspace: the project.
    :param path: the absolute path of the file.
    :param line: the line in it, from 1.
    """
    if not path.startswith(f"{workspace.generated}/"):
        own = path.startswith(f"{workspace.root}/")
        return f"{workspace.relative(path)}:{line}" if own else None
    _, source_map = workspace.rendered
    where = source_map.locate(path.removeprefix(f"{workspace.generated}/"), line)
    return workspace.relative(where) if where else None
