"""Find the line at which a Nix file sets an option. The module system names only the file.

The search reads the layout that nixgen and most people use: a binding is on a line of its own, and
the content of a set is indented more deeply than the set.
"""

from __future__ import annotations

import re

__all__ = ["definition_line"]

_BINDING = re.compile(r"^(\s*)([\w\"'.-]+) =(?: |$)(.*)$")


def definition_line(path: str, option: str) -> int | None:
    """The line that sets an option, or the set around it that agrees with most of its name.

    :param path: the Nix file.
    :param option: the name of the option, such as ``services.nginx.enable``.
    :return: the number of the line, from 1; None if there is none, or the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - the path is text
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
        option_name = name.removeprefix("config.")
        common = min(len(option_name), len(wanted))
        agrees = option_name[:common] == wanted[:common]
        if common and agrees and (best is None or common > best[0]):
            best = (common, number)
        if found[3].rstrip().endswith("{"):
            around.append((indent, name))
    return best[1] if best else None
