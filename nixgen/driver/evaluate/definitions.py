"""Where a Nix file sets an option: the module system tells the file, and not the line.

By the look of it, as nixgen and most people lay modules out: a binding is a line of its own, and what is inside of a set is further
to the right than the set.
"""

from __future__ import annotations

import re

__all__ = ["definition_line"]

_BINDING = re.compile(r"^(\s*)([\w\"'.-]+) =(?: |$)(.*)$")


def definition_line(path: str, option: str) -> int | None:
    """The line of a file that says most of an option's name; None when no line says any of it, or it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            lines = file.read().splitlines()
    except OSError:
        return None
    wanted = f"{option.replace(chr(34), '')}."
    best: tuple[int, int] | None = None
    around: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        found = _BINDING.match(line)
        if not found:
            continue
        indent = len(found[1])
        while around and around[-1][0] >= indent:
            around.pop()
        name = f"{around[-1][1] if around else ''}{found[2].replace(chr(34), '')}."
        said = name.removeprefix("config.")
        common = min(len(said), len(wanted))
        if common and said[:common] == wanted[:common] and (best is None or common > best[0]):
            best = (common, number)
        if found[3].rstrip().endswith("{"):
            around.append((indent, name))
    return best[1] if best else None
