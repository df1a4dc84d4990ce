"""Terminal sessions on a page of docs/: the commands in order, and the lines that each one prints.

A block is fenced as ``console``. A line that begins with ``$ `` is a command, which goes on below
when it ends in a backslash; the other lines are its output. ``…`` stands for anything: within a line
for any characters, alone for any lines. A ``python`` or ``nix`` block whose first line is a comment
with a path is a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

__all__ = ["Command", "File", "first_difference", "steps"]

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PATH = re.compile(r"# (\S+/\S+|\S+\.py)\n")

#: Parts of a line that differ from computer to computer, and from run to run.
_VARIABLE = [
    r"\d[\d.,]* (?:s|B|kB|MB|GB)\b",
    r"\d+ of \d+ paths",
    r"\d+ paths\b",
    r"\d+/\d+",
    r"\d+ \(\d+ new\)",
    r"\d+(?= derivations? )",
    r"\d+(?= +to build)",
    r"\d+\.\d+ : 1",
    r"\b[0-9a-z]{32}(?=-)",
    r"\bsha256:[0-9a-f]{12}\b",
    r"(?<=podman )\d+\.\d+\.\d+",
    r"\((?:tcg, software emulation|tcg|kvm)\)",
]
_VARIABLE_PART = re.compile("|".join(f"({each})" for each in _VARIABLE))
#: said of archives that two paths share
_OPTIONAL = r"(?:, \d+ of them stored already)?"


@frozen
class Command:
    """A command line and the lines that the page shows below it."""

    line: str
    output: tuple[str, ...]


@frozen
class File:
    """A file that the reader writes (Python), or looks at (Nix).

    :param language: the word behind the fence.
    :param path: its path in the project.
    :param text: its content; the line with the path is left out.
    """

    language: str
    path: str
    text: str


def steps(page: str) -> Iterator[Command | File]:
    """The commands and files of a page, in order."""
    for language, block in _FENCE.findall(page):
        if language == "console":
            yield from _commands(block)
        elif path := _PATH.match(block):
            yield File(language, path[1], block[path.end() :])


def _commands(block: str) -> Iterator[Command]:
    line, output = "", list[str]()
    for each in re.sub(r"\\\n *", "", block).splitlines():
        if each.startswith("$ "):
            if line:
                yield Command(line, tuple(output))
            line, output = each.removeprefix("$ "), []
        else:
            output.append(each)
    yield Command(line, tuple(output))


def first_difference(shown: Sequence[str], *printed: Sequence[str]) -> str | None:
    """The first line of the page that the output does not have behind the lines above it, or None.

    Blank lines, frames of tables and spaces at the ends of lines do not count, and the output may
    have lines between those of the page: a slow computer prints progress.

    :param shown: lines of the page.
    :param printed: lines of standard output and of standard error. Each is in order; into a file,
        as here, programs write standard output later than into a terminal.
    """
    streams = [[" ".join(line.split()) for line in stream] for stream in printed]
    for line in shown:
        words = " ".join(line.split())
        if words in {"", "…"}:
            continue
        pattern = re.compile(_pattern(words))
        for stream in streams:
            position = next((i for i, each in enumerate(stream) if pattern.fullmatch(each)), None)
            if position is not None:
                del stream[: position + 1]
                break
        else:
            return line
    return None


def _pattern(line: str) -> str:
    parts, end = list[str](), 0
    for part in _VARIABLE_PART.finditer(line):
        parts += [_literal(line[end : part.start()]), _VARIABLE[(part.lastindex or 0) - 1]]
        end = part.end()
    return "".join([*parts, _literal(line[end:])])


def _literal(text: str) -> str:
    escaped = re.escape(text).replace("…", ".*")
    return escaped.replace(r"\ sent\)", rf"\ sent{_OPTIONAL}\)")
