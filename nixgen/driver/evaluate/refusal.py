"""Why Nix rejects a target, told to the person who wrote it: what is wrong, where in infra.py, what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from types import MappingProxyType

from attrs import frozen

from nixgen.driver.evaluate.definitions import definition_line
from nixgen.driver.evaluate.limits import MEMORY_VARIABLE, human_memory
from nixgen.driver.messages.faults import input_fault, store_fault
from nixgen.driver.messages.trace import Trace, parse_trace
from nixgen.errors import EvaluationError, NixgenError, Problem

__all__ = ["Blame", "Ending", "Locate", "all_refusals", "refusal"]

Locate = Callable[[str, int], str | None]
"""Generated file and line → the user's ``file:line``, when that line comes from one."""

#: nixpkgs' words for packages that it does not give (pkgs/stdenv/generic/check-meta.nix) → the variable that makes it
_ALLOWED = {
    "has an unfree license": "NIXPKGS_ALLOW_UNFREE",
    "is marked as broken": "NIXPKGS_ALLOW_BROKEN",
    "is marked as insecure": "NIXPKGS_ALLOW_INSECURE",
    "is not supported on": "NIXPKGS_ALLOW_UNSUPPORTED_SYSTEM",
    "is not available on": "NIXPKGS_ALLOW_UNSUPPORTED_SYSTEM",
}
_UNUSABLE = re.compile("|".join(_ALLOWED))
#: and of options (lib/modules.nix)
_UNKNOWN_OPTION = re.compile(r"The option `.*' (?:defined in .* )?does not exist")
#: lines of a message that are shown without --debug
_LINES = 12


def _no_location(_path: str, _line: int) -> str | None:
    return None


@frozen(kw_only=True)
class Blame:
    """How generated places become the user's.

    :param locate: finds the user's line behind a generated one.
    :param origins: the user's line of each target, for errors that have no better one.
    :param root: the project's folder, left out of paths that are shown.
    :param names: folders outside of it that people know by a name, such as that of a nixpkgs.
    :param debug: put Nix's whole trace into the error's details.
    """

    locate: Locate = _no_location
    origins: Mapping[str, str | None] = MappingProxyType({})
    root: Path | None = None
    names: Mapping[Path, str] = MappingProxyType({})
    debug: bool = False

    def shown(self, text: str) -> str:
        """Text with paths as people know them."""
        for path, name in self.names.items():
            text = text.replace(f"{path}/", f"{name}/")
        return text.replace(f"{self.root}/", "") if self.root else text


class Ending(Enum):
    """How the process ended that evaluated a target."""

    ERROR = auto()
    #: its memory grew over its share, and it was ended
    TOO_LARGE = auto()
    #: somebody else ended it at once: the kernel, when memory runs out
    KILLED = auto()
    #: a crash
    SIGNAL = auto()

    @classmethod
    def of_status(cls, status: int) -> Ending:
        if status == -9:
            return cls.KILLED
        return cls.SIGNAL if status < 0 else cls.ERROR


def refusal(
    attr: str | None, stderr: bytes, ending: Ending, *, blame: Blame, memory: int = 0
) -> NixgenError:
    """The error of one target, or of the whole tree when there is no target yet.

    :param stderr: what Nix said.
    :param memory: bytes that the process might have held.
    :returns: an EvaluationError; another one when it is not the target's fault.
    """
    trace = parse_trace(stderr)
    fault = store_fault(trace.message) or input_fault(trace.lines)
    if fault is not None:
        return fault
    message, hint = _exhaustion(trace, ending, memory) or _said(trace, ending)
    attr = attr or trace.target
    if attr and attr not in message:
        message = f"{attr}: {message}"
    places = list(_places(trace, blame))
    where = next((users for _, users in places if users), None)
    details = [blame.shown(line) for line in trace.message[1:]]
    if _UNUSABLE.search(message) or trace.memory:
        details = []  # advice on settings that nixgen does not read; warnings of the collector, many times the same
    if len(details) > _LINES and not blame.debug:
        left_out = len(details) - _LINES
        details = [*details[:_LINES], f"… and {left_out} more lines; see them with --debug"]
    if where and trace.option and trace.option not in "\n".join(trace.message):
        details.append(f"while evaluating the option {trace.option}")
    where = where or blame.origins.get(attr or "")
    if not where or len(places) > 1:
        details += (
            _told(blame.shown(place), users, first=not where)
            for place, users in places
            if not where or users != where
        )
    return EvaluationError(
        blame.shown(message),
        hint=None if blame.debug and "--debug" in hint else hint,
        where=where,
        details=(*details, *(trace.lines if blame.debug else ())),
    )


def _told(place: str, users: str | None, *, first: bool) -> str:
    words = f"at {place}" if first else f"and at {place}"
    return words if users in {None, place} else f"{words}, which is {users}"


def _exhaustion(trace: Trace, ending: Ending, memory: int) -> tuple[str, str] | None:
    """Message and hint of an evaluation that was too much for Nix or this computer."""
    limit = f"give it more with --eval-memory or {MEMORY_VARIABLE}"
    match ending:
        case Ending.TOO_LARGE:
            said = f"its evaluation needs more than {human_memory(memory)} of memory"
            return said, f"{limit}; if that is no help, something refers to itself without end"
        case Ending.KILLED:
            return (
                "its evaluation was killed, most likely because this computer ran out of memory",
                "close other programs, or evaluate fewer targets at a time with --eval-workers 1",
            )
        case _ if trace.memory:
            return (
                f"its evaluation ran out of memory: {trace.message[0]}",
                "something limits the memory of programs here (see `ulimit -v`); raise that, or use --eval-workers 1",
            )
        case _ if trace.stack:
            raising = (
                "raise Nix's limit with NIX_CONFIG='max-call-depth = 100000'"
                if "max-call-depth" in trace.message[0]
                else "raise the limit with `ulimit -s unlimited`"
            )
            return (
                trace.message[0],
                f"something refers to itself; if it is only nested very deeply, {raising}",
            )
        case _:
            return None


def _said(trace: Trace, ending: Ending) -> tuple[str, str]:
    """Nix's own message, and a hint."""
    if not trace.message:
        said = "ended by a signal" if ending is Ending.SIGNAL else "failed and said nothing"
        return f"its evaluation {said}", "try once more, and see all that Nix says with --debug"
    first = trace.message[0]
    if "infinite recursion" in first:
        return first, "a value refers to itself; follow it with --debug"
    if _UNKNOWN_OPTION.match(first):
        return (
            first,
            "with a list of the options, from `nixgen inputs options`, this is told at its line",
        )
    if unusable := _UNUSABLE.search(first):
        variable = _ALLOWED[unusable[0]]
        return first, f"use another package, or allow it with {variable}=1 in the environment"
    return first, "see Nix's whole trace with --debug"


def _places(trace: Trace, blame: Blame) -> Iterator[tuple[str, str | None]]:
    """Places in generated or the user's own files, as ``path:line``, each with the user's line behind it, the best first.

    What defines an option comes before where an error was noticed, which lies in nixpkgs more often than not.
    """
    found: dict[str, str | None] = {}
    for path in trace.files:
        if trace.option and (line := definition_line(path, trace.option)):
            found[f"{path}:{line}"] = blame.locate(path, line)
    yield from found.items()
    located = ((path, line, blame.locate(path, line)) for path, line in trace.positions)
    for path, line, users in located:
        if users and not found:
            yield f"{path}:{line}", users
            return
    if not found and trace.positions:
        path, line = trace.positions[0]
        yield f"{path}:{line}", None


def all_refusals(errors: Mapping[str, EvaluationError], total: int) -> EvaluationError | None:
    """One error for all targets that are wrong; those that are wrong in the same way are told once. None without any."""
    alike: dict[tuple[str, str | None, tuple[str, ...]], list[str]] = {}
    for attr, error in errors.items():
        key = (error.message.removeprefix(f"{attr}: "), error.where, error.details)
        alike.setdefault(key, []).append(attr)
    if not alike:
        return None
    if len(errors) == 1:
        return next(iter(errors.values()))
    problems = [
        Problem(_listed(attrs), message, where=where, hint=errors[attrs[0]].hint, details=details)
        for (message, where, details), attrs in alike.items()
    ]
    return EvaluationError(
        f"{len(errors)} of {total} targets cannot be evaluated", problems=problems
    )


def _listed(attrs: Iterable[str]) -> str:
    attrs = list(attrs)
    return (
        ", ".join(attrs) if len(attrs) <= 4 else f"{', '.join(attrs[:3])} and {len(attrs) - 3} more"
    )
