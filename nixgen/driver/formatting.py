"""Formatting hand-written Nix through whichever well-kept formatter is installed.

Generated files need none: the printer writes them in the form of RFC 166.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import attrs

from nixgen.driver.command import Command
from nixgen.driver.runner import Runner, SubprocessRunner
from nixgen.errors import InputError, MissingToolError

__all__ = ["FORMATTERS", "Formatted", "format_files", "hand_written"]

#: The official formatter first (RFC 166).
FORMATTERS = ("nixfmt", "alejandra")
_SKIPPED = frozenset({".git", ".nixgen", ".venv", "generated", "node_modules"})


@attrs.frozen(kw_only=True)
class Formatted:
    """:param changed: files whose form differed (and were rewritten, unless only checked)."""

    formatter: str
    changed: tuple[Path, ...]


def hand_written(root: Path) -> tuple[Path, ...]:
    """Every ``.nix`` file of the project that nixgen does not write."""
    return tuple(
        path
        for path in sorted(root.rglob("*.nix"))
        if not _SKIPPED & set(path.relative_to(root).parts)
    )


def format_files(files: Sequence[Path], *, check: bool, runner: Runner | None = None) -> Formatted:
    """Format in place, or only compare.

    :raises MissingToolError: no formatter is installed (and there is something to format).
    :raises InputError: a file does not parse.
    """
    if not files:
        return Formatted(formatter="none", changed=())
    formatter = next(filter(shutil.which, FORMATTERS), None)
    if formatter is None:
        raise MissingToolError(
            "no Nix formatter is installed",
            hint="install nixfmt (`nix profile install nixpkgs#nixfmt-rfc-style`, or Debian's package nixfmt "
            "where there is one); generated files do not need it",
        )
    run = (runner or SubprocessRunner()).run
    changed: list[Path] = []
    for path in files:
        before = path.read_bytes()
        done = run(Command(argv=(formatter, "-"), stdin=before, deadline=60))
        if not done.ok:
            raise InputError(
                f"{path} cannot be formatted", details=done.stderr_tail(), where=str(path)
            )
        if done.stdout != before:
            changed.append(path)
            if not check:
                path.write_bytes(done.stdout)
    return Formatted(formatter=formatter, changed=tuple(changed))
