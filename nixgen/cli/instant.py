"""``nixgen build`` with nothing to do: the answer without loading a command line, models or Nix."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from nixgen import stamp

__all__ = ["nothing_to_do"]


def _request(arguments: Sequence[str]) -> tuple[str, stamp.Request] | None:
    """(folder, what is asked for); None for anything out of the ordinary, which typer then reads."""
    project, base, environment = ".", "debian", None
    targets: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in {"--project", "--base", "--env"}:
            value = next(rest, None)
            if value is None:
                return None
            if word == "--project":
                project = value
            elif word == "--base":
                base = value
            else:
                environment = value
        elif word.startswith("-"):
            return None
        else:
            targets.append(word)
    return os.path.realpath(project), (tuple(targets), base, environment)


def nothing_to_do(arguments: Sequence[str]) -> bool:
    """Answer the command and return True, if the last build stands."""
    asked = _request(arguments)
    outputs = stamp.load(*asked) if asked else None
    if outputs is None:
        return False
    width = max((len(attr) for attr, _ in outputs), default=0)
    faint, end = ("\x1b[2m", "\x1b[0m") if _coloured() else ("", "")
    for attr, path in outputs:
        print(f"{faint}cached {end} {attr:<{width}}  {path}")
    print(f"{len(outputs)} targets, nothing to do", file=sys.stderr)
    return True


def _coloured() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "NO_COLOR" not in os.environ
