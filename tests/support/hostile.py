"""Texts that try to be more than data, and every place of a project that holds a text.

The places are found by reflection over the models, so a new field is one of them by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from nixgen.models import Project, walk
from nixgen.models.core import Model

__all__ = [
    "AFTER",
    "BEFORE",
    "CHANGES",
    "MARK",
    "Key",
    "Place",
    "harmless",
    "hostile",
    "places",
    "put",
    "unmarked",
]

AFTER = [
    *("\n", "\r", "\0", "\x0b", "\x1b", "\x85", "\u2028", "\tx", " x", " ", "\t"),
    *("%n", "%%", "$(x)", "${x}", "$x", "$$", "`x`", "''${x}"),
    *(":", "=", "#", ";", ",", "|", "&", "<", "*", "?", "[x]", "{a,b}", "~", "^", "ü€😀"),
    *("\\", "\\\\", "\\n", "\\x0a", '"', "'", "''"),
    *("\n[Service]\nUser=root", "\nroot::0:0::/:/bin/sh", "\n+/bin/true", " -x", " + !"),
]
BEFORE = ["+", "-", "!", ":", "@", "|", "!!", "-+", "#", ";", "%n", "$x", "\\", '"', "'", "\n", " "]

CHANGES = [*(("", end) for end in AFTER), *((start, "") for start in BEFORE)]
"""What stands before and after a text."""


class Key(str):
    """A key of a dict on the way to a text: the text is the key itself."""

    __slots__ = ()


@attrs.frozen(eq=False)
class Place:
    """One text of a project.

    :param number: Number of the place; places of projects of one shape have the same numbers.
    :param model: Model that holds the text.
    :param field: Name of the field of the model.
    :param way: Indices and keys that lead from the value of the field to the text.
    """

    number: int
    model: Model
    field: str
    way: tuple[Any, ...]

    @property
    def name(self) -> str:
        """Class and field: ``Service.description``; names of a dict are a field of their own."""
        of_key = " (name)" if self.way and isinstance(self.way[-1], Key) else ""
        return f"{type(self.model).__name__}.{self.field}{of_key}"

    def change(self, change: Callable[[str], str]) -> Callable[[], None]:
        """Change the text.

        :param change: The text → the text that takes its place.
        :return: Puts the text back.
        """
        before = getattr(self.model, self.field)
        put(self.model, self.field, _changed(before, self.way, change))
        return lambda: put(self.model, self.field, before)


def put(model: Model, field: str, value: object) -> None:
    """Set a field of a model, although models are frozen."""
    object.__setattr__(model, field, value)


def places(project: Project) -> list[Place]:
    """Every text of every model, in the order of the walk."""
    found: list[Place] = []
    for _, model in walk(project):
        for field in attrs.fields(type(model)):
            value = getattr(model, field.name) if field.init else None
            for way in _ways(value):
                found.append(Place(len(found), model, field.name, way))
    return found


def _ways(value: Any) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield ()
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for way in _ways(item):
                yield index, *way
    elif isinstance(value, Mapping):
        for key, item in value.items():
            for way in _ways(item):
                yield key, *way
        # after the values: a changed name leads to no value any more
        yield from ((Key(key),) for key in value if isinstance(key, str))


def _changed(value: Any, way: tuple[Any, ...], change: Callable[[str], str]) -> Any:
    if not way:
        return change(value)
    step, *rest = way
    if isinstance(step, Key):
        return {change(key) if key == step else key: item for key, item in value.items()}
    if isinstance(value, Mapping):
        return {**value, step: _changed(value[step], tuple(rest), change)}
    return (*value[:step], _changed(value[step], tuple(rest), change), *value[step + 1 :])


MARK = re.compile(r"zq(\d+)qz")
"""Harmless text in the place of a hostile one. It has the number of its place."""


def hostile(change: tuple[str, str]) -> Callable[[str], str]:
    """The text between its hostile neighbours."""
    start, end = change
    return lambda text: start + text + end


def harmless(change: tuple[str, str], number: int) -> Callable[[str], str]:
    """The text with a mark where `hostile` puts the hostile neighbour."""
    start, _ = change
    mark = f"zq{number}qz"
    return lambda text: mark + text if start else text + mark


def unmarked(text: str, change: Callable[[int], str]) -> str:
    """Put hostile text in the place of each mark.

    :param text: Text with marks.
    :param change: Number of a place → what belongs there.
    """
    return MARK.sub(lambda mark: change(int(mark[1])), text)
