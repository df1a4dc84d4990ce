"""Nix's error text, boiled down.

2.8 puts the message first and walks outwards; since 2.19 the trace comes first and the message
last, after an empty ``error:``. Positions are ``at FILE:LINE:COLUMN:``.
"""

from __future__ import annotations

import re

from attrs import frozen

from nixgen.driver.events import clean
from nixgen.driver.nix import strip_noise

__all__ = ["Trace", "parse_trace"]

_POSITION = re.compile(r"^\s*(?:…\s.*)?\bat (/.+?):(\d+)(?::\d+)?:?$")
_ERROR = re.compile(r"^\s*error:\s*(.*)$")
# not the line of source with the same words, which traces show, too
_TARGET = re.compile(r"while evaluating the target ([a-z]+\.[\w.-]+)")
_END = re.compile(r"^\s*(?:at [/«]|…|\d+\s*\||\||\(use '--show-trace'|\(stack trace)|^\s*$")
_EXHAUSTED = re.compile(
    r"stack overflow|out of memory|Too many heap sections|max-call-depth|bad_alloc|Cannot allocate"
)


@frozen(kw_only=True)
class Trace:
    """What an evaluation error says.

    :param message: the essential lines, without ``error:``.
    :param positions: files and lines, innermost first.
    :param target: attribute path of the target, when the trace names it.
    :param exhausted: the stack or the memory ran out.
    :param lines: all of it, without noise and colours.
    """

    message: tuple[str, ...]
    positions: tuple[tuple[str, int], ...]
    target: str | None
    exhausted: bool
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.message)


def parse_trace(stderr: bytes) -> Trace:
    """The trace in what an evaluation wrote to standard error. Never raises."""
    lines = strip_noise(clean(line) for line in stderr.decode("utf-8", "replace").splitlines())
    starts = [
        (number, found[1])
        for number, line in enumerate(lines)
        if (found := _ERROR.match(line)) and found[1]
    ]
    message: list[str] = []
    innermost_first = True
    if starts:
        number, first = starts[-1]
        message = [first.strip()]
        for line in lines[number + 1 :]:
            if _END.match(line):
                break
            message.append(line.strip())
        # In the new order most positions come before the message.
        innermost_first = not any(_POSITION.match(line) for line in lines[:number])
    else:
        message = [line.strip() for line in lines if _EXHAUSTED.search(line)][:1]
    positions = [(found[1], int(found[2])) for line in lines if (found := _POSITION.match(line))]
    if not innermost_first:
        positions.reverse()
    targets = _TARGET.findall("\n".join(lines))
    return Trace(
        message=tuple(message),
        positions=tuple(dict.fromkeys(positions)),
        target=targets[0].rstrip("'\"") if targets else None,
        exhausted=bool(_EXHAUSTED.search("\n".join(lines))),
        lines=lines,
    )
