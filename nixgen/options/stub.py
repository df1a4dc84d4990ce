"""The file nixos-options.json: the options of a NixOS tree, committed beside the project (schema
``nixgen/options/1``).

The options are nested as in Nix. A leaf is the number of its type. An option with suboptions is an
object that has its type under the empty name. The numbers are hashes of the descriptions, so a new
type in one release changes no other line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from nixgen._collector import paused_collector
from nixgen.errors import LockError
from nixgen.options.grammar import parse
from nixgen.options.path import ITEM, is_placeholder, show
from nixgen.options.types import Type
from nixgen.records.format import Format
from nixgen.records.rules import named

__all__ = ["SCHEMA", "Declaration", "Node", "Provenance", "Stub"]

SCHEMA = "nixgen/options/1"

#: The name in errors; `nixgen.options.project` knows the path.
_NAME = "nixos-options.json"
#: Names that no option has, for the types of an object itself.
_TYPE = ""
_FREEFORM = "..."
#: Longer objects have a line for each member.
_LINE = 320


def _frozen(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class Declaration:
    """An option in a list of options.

    :param path: Path of the option, with ``<name>`` and ``*`` for names and positions that the user
        chooses.
    :param type: Description of the type. None when this declares only the freeform type of a
        submodule.
    :param freeform: Description of the submodule's freeform type. None (the default) when it has
        none.
    :param read_only: True when only NixOS itself sets the option. False is the default.
    :param removed: Reason why the option was removed; empty when the list gives none. None (the
        default) for an option that exists.
    :param renamed: Path of the option's new name. None (the default) when this is no old name.
    """

    path: tuple[str, ...]
    type: str | None = None
    freeform: str | None = None
    read_only: bool = False
    removed: str | None = None
    renamed: str | None = None


@attrs.frozen(kw_only=True)
class Provenance:
    """The source of a list of options.

    :param release: Release of the tree, such as ``20.09``. None when the list does not name it.
    :param pin: Hash or revision of the project's nixpkgs that was read. None for another tree, or a
        file.
    :param complete: True (the default) when the list has internal and old options, too. The list of
        NixOS's documentation has none.
    :param modules: SHA-256 of each Nix module of the project that was read with the tree, by its
        path.
    """

    release: str | None = None
    pin: str | None = None
    complete: bool = True
    modules: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen, hash=False)

    def stale(self, pin: str | None, modules: Mapping[str, str]) -> tuple[str, ...]:
        """The reasons why the list may not be that of the pinned nixpkgs. Empty when it is.

        :param pin: Hash or revision of the pinned nixpkgs.
        :param modules: SHA-256 of each Nix module of the project now, by its path.
        """
        reasons = []
        if self.pin is None:
            reasons.append("it was read from another tree than the pinned one")
        elif self.pin != pin:
            reasons.append("nixpkgs is pinned to another revision since")
        for path in sorted({*modules, *self.modules}):
            if path not in self.modules:
                reasons.append(f"{path} is not in it")
            elif path not in modules:
                reasons.append(f"{path} is not a module of the project any more")
            elif modules[path] != self.modules[path]:
                reasons.append(f"{path} has changed since")
        return tuple(reasons)


@attrs.frozen(kw_only=True, slots=False)
class Stub:
    """The options that the values of a project are checked against.

    :param provenance: Source of the list.
    :param count: Number of options.
    :param types: Description of each type, by its number.
    :param tree: Types of the options, nested as the options are.
    :param read_only: Printed paths of the options that only NixOS sets.
    :param renamed: New name of each old option.
    :param removed: Reason of each removal, by the printed path.
    """

    provenance: Provenance = attrs.field(metadata=named("source"))
    count: int
    types: Mapping[str, str] = attrs.field(repr=False)
    read_only: tuple[str, ...] = attrs.field(repr=False)
    renamed: Mapping[str, str] = attrs.field(repr=False)
    removed: Mapping[str, str] = attrs.field(repr=False)
    tree: Mapping[str, Any] = attrs.field(repr=False, metadata=named("options"))

    @classmethod
    def of(cls, declarations: Iterable[Declaration], provenance: Provenance) -> Stub:
        """Make the document of a list of options. The first declaration of a path counts.

        :param declarations: The options.
        :param provenance: Source of the list.
        """
        known = tuple(declarations)
        numbers = _numbers(
            words for item in known for words in (item.type, item.freeform) if words is not None
        )
        tree: dict[str, Any] = {}
        count = 0
        for item in known:
            if item.type is not None:
                count += _put(tree, (*item.path, _TYPE), numbers[item.type])
            if item.freeform is not None:
                _put(tree, (*item.path, _FREEFORM), numbers[item.freeform])
        return cls(
            provenance=provenance,
            count=count,
            types={
                str(number): words for words, number in sorted(numbers.items(), key=itemgetter(1))
            },
            tree=_folded(tree),
            read_only=tuple(sorted({show(item.path) for item in known if item.read_only})),
            renamed=_by_path((item.path, item.renamed) for item in known),
            removed=_by_path((item.path, item.removed) for item in known),
        )

    @classmethod
    def read(cls, path: Path) -> Stub | None:
        """Read a document. None when the file does not exist.

        :param path: Path of the file.
        :raises LockError: The file is not JSON, or has another schema.
        """
        if not path.exists():
            return None
        with paused_collector():
            return FORMAT.parse(FORMAT.bytes_of(path), source=path.name)

    def text(self) -> str:
        """The text of the document: sorted, in lines short enough for a diff."""
        document = FORMAT.document(self)
        source = document["source"].items()
        document["source"] = {
            name: value for name, value in source if value not in (None, {}, True)
        }
        return "\n".join(_lines(document, "")) + "\n"

    @cached_property
    def read_only_paths(self) -> frozenset[str]:
        return frozenset(self.read_only)

    @cached_property
    def root(self) -> Node:
        return Node(self, self.tree, ())

    def described(self, number: int) -> str:
        """The description of a type.

        :param number: Number of the type.
        :raises LockError: The document has no such type: it was edited, or merged badly.
        """
        try:
            return self.types[str(number)]
        except KeyError:
            raise _unreadable(f"has no type {number}") from None

    def options(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the path of each option that was not removed, with the description of its type. The
        paths are sorted.
        """
        for path, number in _walk(self.tree, ()):
            if show(path) not in self.removed:
                yield path, self.described(number)


@attrs.frozen(eq=False)
class Node:
    """A node of the tree: an option if it has a type, else a set of options."""

    _stub: Stub
    _content: Mapping[str, Any] | int
    _path: tuple[str, ...]

    @property
    def _members(self) -> Mapping[str, Any]:
        return self._content if isinstance(self._content, Mapping) else {_TYPE: self._content}

    @property
    def type(self) -> Type | None:
        return self._described(_TYPE)

    @property
    def is_set(self) -> bool:
        """Whether the node is only a set of options."""
        return _TYPE not in self._members

    @property
    def freeform(self) -> Type | None:
        """The type of members that are not declared; None if only declared members may be set."""
        return self._described(_FREEFORM)

    @property
    def read_only(self) -> bool:
        return show(self._path) in self._stub.read_only_paths

    @property
    def removed(self) -> str | None:
        """The reason why NixOS removed the option; empty without a reason, None if not removed."""
        return self._stub.removed.get(show(self._path))

    @property
    def renamed(self) -> str | None:
        """The new name of the option, if this is an old name."""
        return self._stub.renamed.get(show(self._path))

    def child(self, name: str) -> Node | None:
        """The node below with exactly this name, or None.

        :param name: The name.
        """
        return self._below(name) if _is_name(name) else None

    def member(self) -> Node | None:
        """The node below for any name of a set, or None."""
        return next((self._below(name) for name in self._members if is_placeholder(name)), None)

    def item(self) -> Node | None:
        """The node below for any position of a list, or None."""
        return self._below(ITEM)

    def names(self) -> Iterator[str]:
        """The names that are declared below, without placeholders."""
        return filter(_is_name, self._members)

    def options(self) -> Iterator[tuple[str, ...]]:
        """The paths of all options below, except paths with a name that the user chooses."""
        return (
            path
            for path, _ in _walk(self._members, self._path, follow=_is_name)
            if path != self._path
        )

    def _described(self, name: str) -> Type | None:
        number = self._members.get(name)
        return None if number is None else parse(self._stub.described(number))

    def _below(self, name: str) -> Node | None:
        content = self._members.get(name)
        if content is None:
            return None
        path = (*self._path, name)
        if not isinstance(content, (int, dict)):
            raise _unreadable(f"has neither a type nor a set at {show(path)}")
        return Node(self._stub, content, path)


FORMAT = Format(
    schema=SCHEMA,
    shape=Stub,
    error=LockError,
    hint="restore it with git, or read the options again with: nixgen inputs options",
)


def _unreadable(why: str) -> LockError:
    return LockError(f"{_NAME} {why}", where=_NAME, hint=FORMAT.hint)


def _by_path(values: Iterable[tuple[tuple[str, ...], str | None]]) -> Mapping[str, str]:
    """Map each printed path to its value, in order. Paths without a value are left out."""
    return dict(sorted((show(path), value) for path, value in values if value is not None))


def _numbers(descriptions: Iterable[str]) -> Mapping[str, int]:
    """Give each description a number of at most five digits."""
    taken: set[int] = set()
    numbers = {}
    for words in sorted(set(descriptions)):
        number = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8]) % 100_000
        while number in taken:
            number = (number + 1) % 100_000
        taken.add(number)
        numbers[words] = number
    return numbers


def _put(tree: dict[str, Any], path: tuple[str, ...], number: int) -> bool:
    """Put a number at a path, if the path is free. True when it was free."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    return tree.setdefault(path[-1], number) is number


def _folded(tree: dict[str, Any]) -> Any:
    """Sort a tree, and replace each option without suboptions by its number."""
    if tree.keys() == {_TYPE}:
        return tree[_TYPE]
    return {
        name: _folded(content) if isinstance(content, dict) else content
        for name, content in sorted(tree.items())
    }


def _is_name(name: str) -> bool:
    return name not in (_TYPE, _FREEFORM, ITEM) and not is_placeholder(name)


def _any(_name: str) -> bool:
    return True


def _walk(
    tree: Mapping[str, Any], path: tuple[str, ...], *, follow: Callable[[str], bool] = _any
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each option with the number of its type, in the order of the tree."""
    rest = [(path, tree)]
    while rest:
        at, members = rest.pop()
        if not isinstance(members, Mapping):
            yield at, members
            continue
        if _TYPE in members:
            yield at, members[_TYPE]
        rest += [
            ((*at, name), content)
            for name, content in reversed(tuple(members.items()))
            if name not in (_TYPE, _FREEFORM) and follow(name)
        ]


def _lines(value: Any, indent: str) -> Iterator[str]:
    """Yield lines of JSON. Objects that are too long for one line are split."""
    short = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    split = isinstance(value, dict) and value and (len(indent) < 2 or len(short) > _LINE)
    if not split:
        yield short
        return
    yield "{"
    for index, (name, content) in enumerate(value.items()):
        first, *more = _lines(content, indent + " ")
        lines = [f"{indent} {json.dumps(name, ensure_ascii=False)}: {first}", *more]
        if index < len(value) - 1:
            lines[-1] += ","
        yield from lines
    yield f"{indent}}}"
