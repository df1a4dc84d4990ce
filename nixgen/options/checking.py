"""Check the options that a project sets against the list of NixOS options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from nixgen.errors import Problem
from nixgen.options.advice import advice
from nixgen.options.closest import closest
from nixgen.options.definitions import Definition
from nixgen.options.fitting import Misfit, Place, Reason, answer_at
from nixgen.options.lines import line_of
from nixgen.options.path import show
from nixgen.options.stub import Node, Stub
from nixgen.options.values import value_text

__all__ = ["Findings", "check_definitions"]

_MORE = "nixgen inputs options WORD lists the options that have a word in them"
#: The most characters of a type in a message. Some types list every country.
_WORDS = 200


@attrs.frozen(kw_only=True)
class Findings:
    """The faults that a check found.

    :param problems: Values that NixOS would refuse.
    :param notes: Values that NixOS accepts with a warning, such as options with a new name.
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()


def check_definitions(definitions: Iterable[Definition], stub: Stub) -> Findings:
    """Every certain fault, in the order of the definitions.

    :param definitions: The options that the project sets.
    :param stub: The list of options.
    """
    problems: list[Problem] = []
    notes: list[Problem] = []
    for definition in definitions:
        whole = definition.value
        for name in reversed(definition.path):
            whole = {name: whole}
        found = answer_at(whole, stub.root)
        problems.extend(
            _about(definition, misfit.at, *_words(misfit, definition, stub))
            for misfit in found.misfits
            if not (definition.extended and misfit.reason is Reason.UNKNOWN)
        )
        for at, name in found.renamed:
            message = f"{_option(at)} is an old name of {name}"
            notes.append(_about(definition, at, message, f"write {name}"))
    return Findings(problems=tuple(problems), notes=tuple(notes))


def _about(definition: Definition, at: Place, message: str, hint: str | None) -> Problem:
    inside = at[len(definition.path) :]
    path = definition.model_path + "".join(f"[{part!r}]" for part in inside)
    where = definition.where and line_of(definition.where, (*definition.keys, *inside))
    return Problem(path, message, where=where, hint=hint)


def _words(misfit: Misfit, definition: Definition, stub: Stub) -> tuple[str, str | None]:
    """The message and the hint for a value that does not fit."""
    option = _option(misfit.at)
    match misfit.reason:
        case Reason.UNKNOWN:
            return _unknown(option, misfit, definition, stub)
        case Reason.REMOVED:
            reason = misfit.node.removed if misfit.node else ""
            return f"{option} was removed from NixOS{f': {reason}' if reason else ''}", None
        case Reason.READ_ONLY:
            return f"{option} is read-only: NixOS itself sets it", "remove it"
        case Reason.PLACE:
            message = f"{option} is a set of options, not a single one that could be {value_text(misfit.value)}"
            return message, _members(misfit.at, misfit.node)
    words = _short(misfit.type.words if misfit.type else "")
    if len(misfit.at) < len(definition.path):
        return f"{option} is an option of the type {words}, and has none below it", None
    hint = advice(misfit.value, misfit.type) if misfit.type else None
    return f"must be of the type {words}, not {value_text(misfit.value)}", hint


def _unknown(
    option: str, misfit: Misfit, definition: Definition, stub: Stub
) -> tuple[str, str | None]:
    nixos = f"NixOS {stub.provenance.release}" if stub.provenance.release else "NixOS"
    # a name is as good as its path: what is meant may lie elsewhere
    inside = tuple(map(str, misfit.at[len(definition.path) :]))
    wanted = closest((*definition.path, *inside), stub.root)
    message = f"{nixos} has no option {option}"
    if wanted:
        return message, f"did you mean {' or '.join(wanted)}?"
    if not stub.provenance.complete:
        return message, (
            "the list is that of the documentation, which leaves out internal and old options; "
            "nixgen inputs options reads all of them from the tree"
        )
    return message, _MORE


def _members(at: Place, node: Node | None) -> str | None:
    names = sorted(node.names(), key=lambda name: name != "enable")[:2] if node else []
    if not names:
        return None
    options = " and ".join(_option((*at, name)) for name in names)
    return f"set what is in it, such as {options}"


def _option(at: Sequence[str | int]) -> str:
    """The option as text, such as ``swapDevices.[0].size``. Positions in lists are not quoted."""
    path = ""
    for part in at:
        path += f"[{part}]" if isinstance(part, int) else f".{show((part,))}"
    return path.removeprefix(".")


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"
