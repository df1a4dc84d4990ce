"""Read the error text of an evaluation: the message, the positions, the option.

Nix 2.8 prints the message first, and then the trace from the inside to the outside. Since 2.19 the
trace comes first and the message last, after an empty ``error:``. Positions are
``at FILE:LINE:COLUMN:``. The messages about options come from nixpkgs' ``lib/modules.nix``.
"""

from __future__ import annotations

import re
from itertools import islice, takewhile

from attrs import frozen

from nixgen.driver.commands.nix import strip_noise
from nixgen.driver.messages.wire import clean

__all__ = ["Trace", "parse_trace"]

_POSITION = re.compile(r"^\s*(?:…\s.*)?\bat (/.+?):(\d+)(?::\d+)?:?$")
_ERROR = re.compile(r"^\s*error:\s*(.*)$")
# the target has no ${…}: traces also show the source line with these words
_TARGET = re.compile(r"while evaluating the target ([a-z]+\.[\w.-]+)")
_END = re.compile(r"^\s*(?:at [/«]|…|\d+\s*\||\||\(use '--show-trace'|\(stack trace)")
_STACK = re.compile(r"stack overflow|max-call-depth")
_MEMORY = re.compile(r"out of memory|Too many heap sections|bad_alloc|Cannot allocate")
_OPTION = re.compile(r"\boption (?:value )?`([^'$]+)'")
# not the line of lib/modules.nix with these words, which has ${…}
_WHILE_OPTION = re.compile(r"while evaluating the option `([^'$]+)'")
_WHILE_FILE = re.compile(r"while evaluating definitions from `(/[^']+)'")
_FILE = re.compile(r"`(/[^']+)'")


@frozen(kw_only=True)
class Trace:
    """The content of an evaluation error.

    :param message: the lines of the message, without ``error:``.
    :param positions: files and lines, the innermost first.
    :param target: the target; None if the trace names none.
    :param option: the innermost option that was evaluated; None outside of modules.
    :param files: the files that define the option, those in the message first.
    :param stack: whether Nix's stack ran out.
    :param memory: whether the memory ran out.
    :param lines: the whole text, without noise and colours.
    """

    message: tuple[str, ...]
    positions: tuple[tuple[str, int], ...]
    target: str | None
    option: str | None
    files: tuple[str, ...]
    stack: bool
    memory: bool
    lines: tuple[str, ...]


def parse_trace(stderr: bytes) -> Trace:
    """Read the error in the standard error of an evaluation. Never raises.

    :param stderr: the standard error.
    """
    lines = strip_noise(clean(line) for line in stderr.decode("utf-8", "replace").splitlines())
    starts = [number for number in range(len(lines)) if _is_start(lines[number : number + 2])]
    innermost_first = True
    if starts:
        number = starts[-1]
        first = _ERROR.sub(r"\1", lines[number])
        rest = takewhile(lambda line: not _END.match(line), lines[number + 1 :])
        message = [line.strip() for line in (first, *rest) if line.strip()]
        # In the new order most positions come before the message.
        innermost_first = not any(_POSITION.match(line) for line in lines[:number])
    else:
        exhausted = (line.strip() for line in lines if _STACK.search(line) or _MEMORY.search(line))
        message = list(islice(exhausted, 1))
    positions = [(found[1], int(found[2])) for line in lines if (found := _POSITION.match(line))]
    text = "\n".join(lines)
    message_text = "\n".join(message)
    options = _WHILE_OPTION.findall(text)
    files = _WHILE_FILE.findall(text)
    if not innermost_first:
        for each in (positions, options, files):
            each.reverse()
    targets = _TARGET.findall(text)
    return Trace(
        message=tuple(message),
        positions=tuple(dict.fromkeys(positions)),
        target=targets[0].rstrip("'\"") if targets else None,
        option=next(iter([*_OPTION.findall(message_text), *options]), None),
        files=tuple(dict.fromkeys([*_FILE.findall(message_text), *files])),
        stack=bool(_STACK.search(message_text)),
        memory=bool(_MEMORY.search(message_text)),
        lines=lines,
    )


def _is_start(lines: tuple[str, ...]) -> bool:
    """Whether a message begins in the first of two lines, or after an ``error:`` alone in it."""
    found = _ERROR.match(lines[0])
    if found is None or found[1]:
        return found is not None
    return bool(lines[1:] and lines[1].strip() and not _END.match(lines[1]))
