"""``nixgen fmt``: format the Nix files of a project that people write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from nixgen.driver.tools.formatting import Formatted, Formatter, Report, format_files
from nixgen.errors import UsageError
from nixgen.programs.runner import SubprocessRunner
from nixgen.project.sources import hand_written

__all__ = ["Formatted", "Report", "format_project", "format_text"]


def format_text(text: bytes) -> Report:
    """Format one text, without a file.

    :param text: a Nix expression.
    :raises MissingToolError: nixfmt is not installed.
    """
    return Report((Formatter.find(SubprocessRunner()).format("<stdin>", text),))


def format_project(project: Path, files: Iterable[str] = (), *, write: bool) -> Report:
    """Format files. Without any file to format, nixfmt is not needed.

    :param project: the folder of the project.
    :param files: files and folders as typed. Empty: all hand-written Nix files of the project.
    :param write: write the files that change.
    :raises UsageError: a file does not exist.
    :raises MissingToolError: nixfmt is not installed.
    """
    chosen = tuple(_chosen(files, project))
    if not chosen:
        return Report(())
    return format_files(chosen, Formatter.find(SubprocessRunner()), write=write)


def _chosen(files: Iterable[str], project: Path) -> Iterator[tuple[str, Path]]:
    """The files to format, each with the name that messages use for it."""
    named = [Path(file) for file in files]
    missing = [str(path) for path in named if not path.exists()]
    if missing:
        raise UsageError(
            f"there is no {' and no '.join(missing)}",
            hint="paths are relative to the current folder",
        )
    if not named:
        yield from ((name, project / name) for name in hand_written(project))
    for path in named:
        if path.is_dir():
            yield from ((str(path / name), path / name) for name in hand_written(path))
        else:
            yield str(path), path
