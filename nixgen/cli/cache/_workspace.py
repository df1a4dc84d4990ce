"""The project that a verb about a cache is run in, if it needs one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nixgen.workspace import Workspace

__all__ = ["workspace_of"]


def workspace_of(project: Path, cache: str | None) -> Workspace | None:
    """None when ``cache`` is an address: it says everything, and there may be no project.

    :raises ProjectLoadError: ``project`` has no infra.py, and ``cache`` needs one.
    """
    from nixgen.workspace import Workspace

    if cache is not None and "://" in cache:
        return None
    return Workspace.open(project)
