"""A walk over the models of a project: each model once, with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import attrs

from nixgen.models.core import Model

__all__ = ["Visit", "visit_of", "walk"]


class Visit:
    """The models of a project, each once, with its path. Paths are built on demand, because few are
    ever needed.

    :param root: Model to start at.
    """

    __slots__ = ("_labels", "_parents", "values")

    def __init__(self, root: Model) -> None:
        self.values: list[Model] = []
        self._parents: list[int] = []
        self._labels: list[str] = []
        seen: set[int] = set()
        stack: list[tuple[Model, int, str]] = [(root, -1, "")]
        while stack:
            value, parent, label = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            here = len(self.values)
            self.values.append(value)
            self._parents.append(parent)
            self._labels.append(label)
            found: list[tuple[Model, int, str]] = []
            labels, contents = _model_fields(value.__class__)
            for label, content in zip(labels, contents(value), strict=True):
                if content.__class__ in _HOLDS_NO_MODEL or not content:
                    continue
                if isinstance(content, Model):
                    found.append((content, here, label))
                else:
                    _members(content, here, label, found)
            # pushed in reverse: popped, and so reported, in the order of the fields
            stack.extend(reversed(found))

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


_HOLDS_NO_MODEL = frozenset({str, int, bool, type(None), float})


def _members(content: Any, parent: int, label: str, found: list[tuple[Model, int, str]]) -> None:
    if isinstance(content, tuple):
        if _HOLDS_NO_MODEL.issuperset(map(type, content)):
            return
        named = _by_name(content)
        for index, item in enumerate(content):
            if isinstance(item, Model):
                place = f".{getattr(item, 'name', '')}" if named else f"[{index}]"
                found.append((item, parent, label + place))
            elif isinstance(item, (tuple, dict)):
                _members(item, parent, f"{label}[{index}]", found)
    elif isinstance(content, dict):
        for key, item in content.items():
            if isinstance(item, Model):
                found.append((item, parent, f"{label}[{key!r}]"))
            elif isinstance(item, (tuple, dict)):
                _members(item, parent, f"{label}[{key!r}]", found)


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
    if not all(isinstance(item, Model) and item.addressed_by_name for item in items):
        return False
    names = {item.name for item in items if isinstance(item.name, str) and item.name}
    return len(names) == len(items)


_MODEL_FIELDS: dict[type, tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]] = {}


def _model_fields(cls: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The labels of a class's fields, and a function for the contents of all of them at once."""
    found = _MODEL_FIELDS.get(cls)
    if found is None:
        names = tuple(field.name for field in attrs.fields(cls) if field.name != "origin")
        found = tuple(f".{name}" for name in names), _contents_of(names)
        _MODEL_FIELDS[cls] = found
    return found


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
