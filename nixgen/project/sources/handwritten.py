"""The Nix files of a project that people write."""

from __future__ import annotations

from pathlib import Path

from nixgen.models import Source
from nixgen.project.sources.look import Sources

__all__ = ["hand_written"]


def hand_written(root: Path) -> tuple[str, ...]:
    """The sorted paths of the Nix files that people write.

    Ignored files, links and the files that nixgen makes are left out.

    :param root: the folder of the project. Paths begin there.
    :raises InputError: something cannot be read.
    """
    entries = Sources(str(root.resolve())).listing(Source(".", include=["*.nix"])).entries
    names = (
        Path(entry.path).relative_to(root.resolve()).as_posix()
        for entry in entries
        if entry.kind in {"file", "executable"}
    )
    return tuple(sorted(name for name in names if name.endswith(".nix")))
