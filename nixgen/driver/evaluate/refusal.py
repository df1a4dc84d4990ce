"""The errors of rejected targets: the message, the line in infra.py, and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path
from types import MappingProxyType

from attrs import frozen

from nixgen.driver.evaluate.definitions import definition_line
from nixgen.driver.evaluate.limits import MEMORY_VARIABLE, memory_text
from nixgen.driver.messages.faults import input_fault, store_fault
from nixgen.driver.messages.trace import Trace, parse_trace
from nixgen.errors import EvaluationError, NixgenError, Problem, counted

__all__ = ["Blame", "Ending", "Locate", "all_refusals", "refusal"]

Locate = Callable[[str, int], str | None]
"""Finds the user's ``file:line`` behind a line of a generated file; None if there is none."""

#: A reason of nixpkgs to refuse a package (pkgs/stdenv/generic/check-meta.nix) → the variable that
#: allows it.
_ALLOWED = {
    "has an unfree license": "NIXPKGS_ALLOW_UNFREE",
    "is marked as broken": "NIXPKGS_ALLOW_BROKEN",
    "is marked as insecure": "NIXPKGS_ALLOW_INSECURE",
    "is not supported on": "NIXPKGS_ALLOW_UNSUPPORTED_SYSTEM",
    "is not available on": "NIXPKGS_ALLOW_UNSUPPORTED_SYSTEM",
}
_UNUSABLE = re.compile("|".join(_ALLOWED))
#: The message of lib/modules.nix.
_UNKNOWN_OPTION = re.compile(r"The option `.*' (?:defined in .* )?does not exist")
#: The most lines of a message without --debug.
_LINES = 12


def _no_location(_path: str, _line: int) -> str | None:
    return None


@frozen(kw_only=True)
class Blame:
    """Leads an error of Nix back to the user's files.

    :param locate: finds the user's line behind a generated one.
    :param origins: target → the user's line, for errors that have no better one.
    :param root: the project's folder. Messages name paths relative to it.
    :param names: folder outside of it → a name that people know, such as that of a nixpkgs.
    :param debug: put Nix's whole trace into the error's details.
    """

    locate: Locate = _no_location
    origins: Mapping[str, str | None] = MappingProxyType({})
    root: Path | None = None
    names: Mapping[Path, str] = MappingProxyType({})
    debug: bool = False

    def shorten(self, text: str) -> str:
        """Replace paths in a text by ones that people know.

        :param text: a message of Nix.
        """
        for path, name in self.names.items():
            text = text.replace(f"{path}/", f"{name}/")
        return text.replace(f"{self.root}/", "") if self.root else text


class Ending(Enum):
    """The way in which the process that evaluated a target ended."""

    ERROR = auto()
    #: nixgen ended it, because it held more memory than its share
    TOO_LARGE = auto()
    #: SIGKILL of somebody else, most often of the kernel when the memory runs out
    KILLED = auto()
    #: a crash
    SIGNAL = auto()

    @classmethod
    def of_status(cls, status: int) -> Ending:
        """The ending behind an exit status.

        :param status: of the process; negative for a signal.
        """
        if status == -9:
            return cls.KILLED
        return cls.SIGNAL if status < 0 else cls.ERROR


def refusal(
    attr: str | None, stderr: bytes, ending: Ending, *, blame: Blame, memory: int = 0
) -> NixgenError:
    """The error of one target, or of the whole tree.

    :param attr: the target; None if the error came before any target.
    :param stderr: the standard error of Nix.
    :param ending: the way in which the process ended.
    :param blame: leads the error back to the user's line.
    :param memory: the bytes that the process was allowed to hold.
    :returns: an EvaluationError; another error if the target is not at fault.
    """
    trace = parse_trace(stderr)
    fault = store_fault(trace.message) or input_fault(trace.lines)
    if fault is not None:
        return fault
    message, hint = _exhaustion(trace, ending, memory) or _message_and_hint(trace, ending)
    attr = attr or trace.target
    if attr and attr not in message:
        message = f"{attr}: {message}"
    places = list(_places(trace, blame))
    where = next((users for _, users in places if users), None)
    details = [blame.shorten(line) for line in trace.message[1:]]
    if _UNUSABLE.search(message) or trace.memory:
        # nixpkgs advises settings that nixgen does not read; the collector repeats its warnings
        details = []
    if len(details) > _LINES and not blame.debug:
        left_out = len(details) - _LINES
        details = [*details[:_LINES], f"… and {left_out} more lines; see them with --debug"]
    if where and trace.option and trace.option not in "\n".join(trace.message):
        details.append(f"while evaluating the option {trace.option}")
    where = where or blame.origins.get(attr or "")
    if not where or len(places) > 1:
        details += (
            _place_line(blame.shorten(place), users, first=not where)
            for place, users in places
            if not where or users != where
        )
    return EvaluationError(
        blame.shorten(message),
        hint=None if blame.debug and "--debug" in hint else hint,
        where=where,
        details=(*details, *(trace.lines if blame.debug else ())),
    )


def _place_line(place: str, users: str | None, *, first: bool) -> str:
    words = f"at {place}" if first else f"and at {place}"
    return words if users in {None, place} else f"{words}, which is {users}"


def _exhaustion(trace: Trace, ending: Ending, memory: int) -> tuple[str, str] | None:
    """The message and the hint, if memory or Nix's stack ran out."""
    limit = f"give it more with --eval-memory or {MEMORY_VARIABLE}"
    match ending:
        case Ending.TOO_LARGE:
            message = f"its evaluation needs more than {memory_text(memory)} of memory"
            return (
                message,
                f"{limit}; if that does not help, something refers to itself without end",
            )
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


def _message_and_hint(trace: Trace, ending: Ending) -> tuple[str, str]:
    """The message of Nix, and a hint."""
    if not trace.message:
        end = "ended by a signal" if ending is Ending.SIGNAL else "failed and said nothing"
        return f"its evaluation {end}", "try once more, and see all that Nix says with --debug"
    first = trace.message[0]
    if "infinite recursion" in first:
        return first, "a value refers to itself; follow it with --debug"
    if _UNKNOWN_OPTION.match(first):
        return (
            first,
            "list the options with `nixgen inputs options`; nixgen then checks them, and names the line",
        )
    if unusable := _UNUSABLE.search(first):
        variable = _ALLOWED[unusable[0]]
        return first, f"use another package, or allow it with {variable}=1 in the environment"
    return first, "see Nix's whole trace with --debug"


def _places(trace: Trace, blame: Blame) -> Iterator[tuple[str, str | None]]:
    """The places to name, as ``path:line``, each with the user's line behind it, the best first.

    The definition of an option is better than the position of the error, which is mostly in
    nixpkgs.
    """
    definitions: dict[str, str | None] = {}
    for path in trace.files:
        if trace.option and (line := definition_line(path, trace.option)):
            definitions[f"{path}:{line}"] = blame.locate(path, line)
    yield from definitions.items()
    located = ((path, line, blame.locate(path, line)) for path, line in trace.positions)
    for path, line, users in located:
        if users and not definitions:
            yield f"{path}:{line}", users
            return
    if not definitions and trace.positions:
        path, line = trace.positions[0]
        yield f"{path}:{line}", None


def all_refusals(errors: Mapping[str, EvaluationError], total: int) -> EvaluationError | None:
    """One error for all rejected targets. Equal errors are listed once, with all their targets.

    :param errors: target → its error.
    :param total: the number of all targets, the right ones included.
    :return: None without any error.
    """
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
        f"{len(errors)} of {counted(total, 'target')} cannot be evaluated", problems=problems
    )


def _listed(attrs: Iterable[str]) -> str:
    attrs = list(attrs)
    return (
        ", ".join(attrs) if len(attrs) <= 4 else f"{', '.join(attrs[:3])} and {len(attrs) - 3} more"
    )
