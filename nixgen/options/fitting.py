"""Check whether a value fits an option. There are three verdicts: it fits, it differs, or it is not
certain.

The checks are those of lib/types.nix of nixpkgs, as far as the descriptions of the types tell them.
A value differs only when NixOS is certain to refuse it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from nixgen.options import scalars
from nixgen.options import types as t
from nixgen.options.stub import Node
from nixgen.options.values import Kind, bare, kind

__all__ = ["Answer", "Misfit", "Place", "Reason", "Verdict", "answer", "answer_at"]


#: Names and list indices that lead from a given value to one of its parts.
Place = tuple[str | int, ...]


class Verdict(enum.IntEnum):
    """A verdict on a value. Among the alternatives of a type the highest verdict counts, among the
    parts of a value the lowest.
    """

    DIFFERS = 0
    UNSURE = 1
    FITS = 2


class Reason(enum.Enum):
    """The reason why an option cannot have a value."""

    #: The value has another type.
    TYPE = enum.auto()
    #: No option has this name.
    UNKNOWN = enum.auto()
    #: The path leads to a set of options, or to a place below an option without suboptions.
    PLACE = enum.auto()
    #: Only NixOS itself sets the option.
    READ_ONLY = enum.auto()
    #: The option existed in older releases.
    REMOVED = enum.auto()


@attrs.frozen
class Misfit:
    """A part of a value that an option refuses.

    :param reason: The reason of the refusal.
    :param at: Names and list indices that lead from the given value to the part.
    :param value: The refused part.
    :param type: Type of the option there, for `Reason.TYPE` and for a place below an option.
    :param node: Option or set of options that the part was given to.
    """

    reason: Reason
    at: Place
    value: Any
    type: t.Type | None = None
    node: Node | None = None


@attrs.frozen
class Answer:
    """The verdict on a value, with its reasons.

    :param verdict: Verdict on the whole value.
    :param misfits: All refused parts when the value differs, otherwise none.
    :param renamed: Place and new name of each option that was set by an old name.
    """

    verdict: Verdict
    misfits: tuple[Misfit, ...] = ()
    renamed: tuple[tuple[Place, str], ...] = ()


_FITS = Answer(Verdict.FITS)
_UNSURE = Answer(Verdict.UNSURE)
#: The answer of an alternative, whose misfit is reported for the whole type.
_DIFFERS = Answer(Verdict.DIFFERS)
_ANSWERS = {True: _FITS, None: _UNSURE, False: _DIFFERS}


def answer_at(value: Any, node: Node, at: Place = ()) -> Answer:
    """Check a value against an option, or a set against a set of options.

    :param value: Value that was given.
    :param node: Option or set of options.
    :param at: Place of the value within the given one.
    """
    value = bare(value)
    if node.removed is not None:
        return Answer(Verdict.DIFFERS, (Misfit(Reason.REMOVED, at, value, node=node),))
    if node.read_only:
        return Answer(Verdict.DIFFERS, (Misfit(Reason.READ_ONLY, at, value, node=node),))
    if node.type is not None:
        found = answer(value, node.type, node, at)
        if node.renamed is not None:
            return attrs.evolve(found, renamed=((at, node.renamed), *found.renamed))
        return found
    if kind(value) is Kind.SET:
        return _declared(value, node, at)
    if kind(value) is Kind.OTHER:
        return _UNSURE
    return Answer(Verdict.DIFFERS, (Misfit(Reason.PLACE, at, value, node=node),))


def answer(value: Any, wanted: t.Type, node: Node | None = None, at: Place = ()) -> Answer:
    """Check a value against a type.

    :param value: Value that was given.
    :param wanted: Type that it should have.
    :param node: Option of that type. It holds the suboptions when the type has submodules.
    :param at: Place of the value within the given one.
    """
    value = bare(value)
    answers = [_fit(alternative, value, node, at) for alternative in wanted.alternatives]
    best = max(answers, key=lambda found: found.verdict, default=_DIFFERS)
    if best.verdict is not Verdict.DIFFERS:
        return best
    # a fault inside is more precise than a fault of the whole, if only one alternative can be meant
    inner = [found for found in answers if found.misfits]
    if len({tuple(misfit.at for misfit in found.misfits) for found in inner}) == 1:
        return inner[0]
    return Answer(Verdict.DIFFERS, (Misfit(Reason.TYPE, at, value, wanted, node),))


def _all(answers: Iterable[Answer]) -> Answer:
    found = list(answers)
    misfits = tuple(misfit for one in found for misfit in one.misfits)
    verdict = min((one.verdict for one in found), default=Verdict.FITS)
    return Answer(verdict, misfits, tuple(name for one in found for name in one.renamed))


def _fit(alternative: t.Alternative, value: Any, node: Node | None, at: Place) -> Answer:
    here = kind(value)
    if here is Kind.OTHER:
        return _UNSURE
    match alternative:
        case t.Anything():
            return _FITS
        case t.Unknown():
            return _UNSURE
        case t.NoNull():
            return _ANSWERS[not scalars.has_null(value)]
        case t.Null():
            return _ANSWERS[here is Kind.NULL]
        case t.Boolean():
            return _ANSWERS[here is Kind.BOOLEAN]
        case t.Function():
            return _DIFFERS
        case t.Number():
            return _ANSWERS[scalars.is_number(value, here, alternative)]
        case t.String():
            return _ANSWERS[scalars.is_string(value, here, alternative)]
        case t.Enum():
            return _ANSWERS[scalars.is_member(value, here, alternative)]
        case t.Path():
            return _ANSWERS[scalars.is_path(value, here, alternative)]
        case t.Package():
            return _ANSWERS[scalars.is_package(value, here)]
        case t.Perhaps(type=inner):
            return _UNSURE if answer(value, inner, node).verdict else _DIFFERS
        case t.ListOf():
            return _list(value, here, alternative, node, at)
        case t.AttrsOf(element=element):
            return _set(value, here, element, node, at)
        case t.Submodule(freeform=freeform):
            return _submodule(value, here, freeform, node, at)
        case t.Tagged(choices=choices):
            return _tagged(value, here, choices, node, at)


# values with parts


def _list(value: Any, here: Kind, wanted: t.ListOf, node: Node | None, at: Place) -> Answer:
    if here is not Kind.LIST:
        return _DIFFERS
    if len(value) < wanted.minimum or (wanted.maximum is not None and len(value) > wanted.maximum):
        return _DIFFERS
    item = node.item() if node else None
    return _all(
        answer(element, wanted.element, item, (*at, index)) for index, element in enumerate(value)
    )


def _set(value: Any, here: Kind, element: t.Type, node: Node | None, at: Place) -> Answer:
    if here is Kind.DERIVATION:  # a derivation is a set, too
        return _UNSURE
    if here is not Kind.SET:
        return _DIFFERS
    member = node.member() if node else None
    return _all(
        answer_at(content, declared, (*at, name))
        if node and (declared := node.child(name)) is not None
        else answer(content, element, member, (*at, name))
        for name, content in value.items()
    )


#: What a module may have beside the values of options.
_STRUCTURE = frozenset(
    {
        "_class",
        "_file",
        "_module",
        "config",
        "disabledModules",
        "freeformType",
        "imports",
        "key",
        "options",
    }
)


def _submodule(
    value: Any, here: Kind, freeform: t.Type | None, node: Node | None, at: Place
) -> Answer:
    if here is Kind.SET:
        if node is None or next(node.names(), None) is None:
            return _UNSURE
        return _declared(value, node, at, freeform=freeform or node.freeform, module=True)
    # a module may also be a file
    file = (
        here is Kind.DERIVATION or scalars.is_path(value, here, t.Path(absolute=True)) is not False
    )
    return _UNSURE if file else _DIFFERS


def _declared(
    value: Mapping[str, Any],
    node: Node,
    at: Place,
    *,
    freeform: t.Type | None = None,
    module: bool = False,
) -> Answer:
    """Check each member against its option, and the others against the freeform type.

    :param module: True when the value may have the parts of a module, such as ``imports``.
    """
    answers, rest = _apart(value, node, at)
    if module and _STRUCTURE & set(rest):
        answers.append(_UNSURE)
        rest = {name: content for name, content in rest.items() if name not in _STRUCTURE}
    if freeform is not None:
        answers.append(answer(rest, freeform, None, at))
    elif rest:
        answers.append(Answer(Verdict.DIFFERS, tuple(_undeclared(rest, node, at))))
    return _all(answers)


def _apart(value: Mapping[str, Any], node: Node, at: Place) -> tuple[list[Answer], dict[str, Any]]:
    """The answers of the members that are options, and the other members, also those in sets of
    options.
    """
    answers: list[Answer] = []
    rest: dict[str, Any] = {}
    for name, content in value.items():
        child = node.child(name)
        if child is None:
            rest[name] = content
        elif child.is_set and kind(bare(content)) is Kind.SET:
            inner, left = _apart(bare(content), child, (*at, name))
            answers += inner
            if left:
                rest[name] = left
        else:
            answers.append(answer_at(content, child, (*at, name)))
    return answers, rest


def _undeclared(rest: Mapping[str, Any], node: Node, at: Place) -> Iterator[Misfit]:
    for name, content in rest.items():
        child = node.child(name)
        if child is None:
            yield Misfit(Reason.UNKNOWN, (*at, name), content, node=node)
        else:
            yield from _undeclared(content, child, (*at, name))


def _tagged(
    value: Any, here: Kind, choices: tuple[str, ...], node: Node | None, at: Place
) -> Answer:
    if here is not Kind.SET or len(value) != 1:
        return _UNSURE if here is Kind.DERIVATION else _DIFFERS
    [(name, content)] = value.items()
    if choices and name not in choices:
        return _DIFFERS
    declared = node.child(name) if node else None
    return answer_at(content, declared, (*at, name)) if declared else _UNSURE
