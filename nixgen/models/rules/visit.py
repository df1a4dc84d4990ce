"""A walk over the models of a project: each model once, with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import attrs

from nixgen.models.checks import CHECK, Check
from nixgen.models.core import MISUSES, Model

__all__ = ["walk"]

#: A model, the index of the model that holds it, and its label there.
_Step = tuple[Model, int, str]
_HOLDS_NO_MODEL = frozenset({str, int, bool, type(None), float})


class Visit:
    """The models of a project, each once, with its path. Paths are built on demand, because few are
    ever needed.

    The checks of the fields run during the walk: to visit a large project twice costs more than the
    checks do.

    :param root: Model to start at.
    """

    __slots__ = ("_labels", "_parents", "suspects", "values")

    def __init__(self, root: Model) -> None:
        self.values = values = list[Model]()
        #: Indices of the values that may have faults of their own. All others have none.
        self.suspects: list[int] = []
        self._parents = parents = list[int]()
        self._labels = labels = list[str]()
        seen: set[int] = set()
        stack: list[_Step] = [(root, -1, "")]
        while stack:
            value, parent, label = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            here = len(values)
            values.append(value)
            parents.append(parent)
            labels.append(label)
            contents_of, fields, has_rules = _FORMS.get(type(value)) or _form(type(value))
            members: list[_Step] = []
            sound = not MISUSES or id(value) not in MISUSES
            for (label, default, check), content in zip(fields, contents_of(value), strict=False):
                if content is default:  # which is sound
                    continue
                if check(content):
                    sound = False
                if content.__class__ in _HOLDS_NO_MODEL or not content:
                    continue
                if isinstance(content, Model):
                    members.append((content, here, label))
                else:
                    _members(content, here, label, members)
            # rules between fields need fields that are sound
            if not sound or (has_rules and any(value.faults())):
                self.suspects.append(here)
            # pushed in reverse: popped, and so reported, in the order of the fields
            if members:
                members.reverse()
                stack.extend(members)

    def path(self, index: int) -> str:
        """The model path of a value: ``machines.web.services.api.ports[0]``. Members of a
        collection are addressed by their name where they have one.

        :param index: Index into ``values``.
        """
        labels = []
        while index >= 0:
            labels.append(self._labels[index])
            index = self._parents[index]
        return "".join(reversed(labels)).removeprefix(".")


def _members(content: Any, parent: int, label: str, found: list[_Step]) -> None:
    if isinstance(content, tuple):
        if _HOLDS_NO_MODEL.issuperset(map(type, content)):
            return
        named = _by_name(content)
        for index, item in enumerate(content):
            if item.__class__ in _HOLDS_NO_MODEL:
                continue
            if isinstance(item, Model):
                place = _place(getattr(item, "name", "")) if named else f"[{index}]"
                found.append((item, parent, label + place))
            elif isinstance(item, (tuple, dict)):
                _members(item, parent, f"{label}[{index}]", found)
    elif isinstance(content, dict):
        for key, item in content.items():
            if item.__class__ in _HOLDS_NO_MODEL:
                continue
            place = f"{label}[{getattr(key, 'name', key)!r}]"
            if isinstance(item, Model):
                found.append((item, parent, place))
            elif isinstance(item, (tuple, dict)):
                _members(item, parent, place, found)


def _place(name: str) -> str:
    """Write a name as a part of a path. Any other text than a printable one is quoted, because a
    path is printed as it is.
    """
    return f".{name}" if name.isprintable() else f"[{name!r}]"


@lru_cache(maxsize=2)
def visit_of(root: Model) -> Visit:
    """The walk over a project. It is cached, because models never change and both checks and
    lowering need it.
    """
    return Visit(root)


def walk(root: Model) -> Iterator[tuple[str, Model]]:
    """Yield each model of a tree once, with the path by which it is first reached. The first is
    ``root`` itself.

    :param root: Model to start at.
    """
    visit = visit_of(root)
    for index, value in enumerate(visit.values):
        yield visit.path(index), value


def _by_name(items: tuple[Any, ...]) -> bool:
    """Decide if the names of a collection's members tell them apart.

    The name of a port is only a label: people look for its place, as with the words of a command.
    """
    names: set[str] = set()
    for item in items:
        if not isinstance(item, Model) or not item.addressed_by_name:
            return False
        name = getattr(item, "name", None)
        if isinstance(name, str) and name:
            names.add(name)
    return len(names) == len(items)


class _Form(NamedTuple):
    """A model class, as the walk sees it.

    :param contents: Returns the contents of all fields of a value.
    :param fields: Label, default and check of each field. A model is no default here, for the walk
        visits it.
    :param has_rules: True when the class has rules between its fields.
    """

    contents: Callable[[Any], tuple[Any, ...]]
    fields: tuple[tuple[str, Any, Check], ...]
    has_rules: bool


_FORMS: dict[type[Model], _Form] = {}


def _form(cls: type[Model]) -> _Form:
    fields = [field for field in attrs.fields(cls) if field.name != "origin"]
    form = _FORMS[cls] = _Form(
        _contents_of([field.name for field in fields]),
        tuple(
            (
                f".{field.name}",
                attrs.NOTHING if isinstance(field.default, Model) else field.default,
                field.metadata[CHECK],
            )
            for field in fields
        ),
        cls.faults is not Model.faults,
    )
    return form


def _contents_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make a function that returns the contents of these fields. One call for all is faster than
    one call for each.
    """
    if not names:
        return lambda _value: ()
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: (only(value),)
    return attrgetter(*names)
