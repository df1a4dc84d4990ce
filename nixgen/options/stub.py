"""nixos-options.json: the options of a tree, committed beside the project (schema ``nixgen/options/1``).

The tree of options is nested as in Nix. A leaf is the number of its type; an option with options below it is an object
that has its type under the empty name. Numbers come from the descriptions themselves, so that a new type in one release
changes no other line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from nixgen._collector import paused_collector
from nixgen.errors import LockError
from nixgen.options.grammar import parse
from nixgen.options.tree import ITEM, Node, is_placeholder, show
from nixgen.options.types import Type

__all__ = ["SCHEMA", "Declaration", "Provenance", "Stub"]

SCHEMA = "nixgen/options/1"

#: for errors; `nixgen.options.project` says where it is
_NAME = "nixos-options.json"
#: names that no option has, for what an object says of itself
_TYPE = ""
_FREEFORM = "..."
#: objects longer than this have a line for each member
_LINE = 320


def _frozen(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class Declaration:
    """An option, as a list of options tells of it.

    :param path: with ``<name>`` and ``*`` for what the user chooses.
    :param type: its description; None for the freeform type of a submodule at that path, when ``freeform`` is given.
    :param removed: why there is no such option any more; empty when nobody says.
    :param renamed: the path of the option that this is an old name of.
    """

    path: tuple[str, ...]
    type: str | None = None
    freeform: str | None = None
    read_only: bool = False
    removed: str | None = None
    renamed: str | None = None


@attrs.frozen(kw_only=True)
class Provenance:
    """Where a list of options comes from.

    :param release: of the tree, such as ``20.09``; None when the list does not say.
    :param pin: the hash or revision of the project's nixpkgs that was read; None for another tree, or a file.
    :param complete: it has internal and old options, too; a documentation's list has not.
    :param modules: file of the project → SHA-256, of the Nix modules that were read with the tree.
    """

    release: str | None = None
    pin: str | None = None
    complete: bool = True
    modules: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen, hash=False)

    def stale(self, pin: str | None, modules: Mapping[str, str]) -> tuple[str, ...]:
        """Why the list may be another one than that of what is pinned now; empty when it is the same.

        :param pin: of nixpkgs, as it was given for ``pin``.
        :param modules: the project's Nix modules as they are, as in ``modules``.
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
    """The options that a project's values are checked against."""

    provenance: Provenance
    count: int
    types: Mapping[str, str] = attrs.field(repr=False)
    tree: Mapping[str, Any] = attrs.field(repr=False)
    read_only: frozenset[str] = attrs.field(repr=False)
    renamed: Mapping[str, str] = attrs.field(repr=False)
    removed: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    def of(cls, declarations: Iterable[Declaration], provenance: Provenance) -> Stub:
        """What later declarations say of the same path does not count."""
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
            types={str(number): words for words, number in numbers.items()},
            tree=_folded(tree),
            read_only=frozenset(show(item.path) for item in known if item.read_only),
            renamed={show(item.path): item.renamed for item in known if item.renamed is not None},
            removed={show(item.path): item.removed for item in known if item.removed is not None},
        )

    @classmethod
    def read(cls, path: Path) -> Stub | None:
        """None when there is no such file.

        :raises LockError: it is not JSON, or of another schema.
        """
        try:
            with paused_collector():
                document = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise _unreadable(path, f"cannot be read: {error}") from error
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise _unreadable(path, f"has the schema {schema!r}; this nixgen reads {SCHEMA!r}")
        for name in ("source", "types", "renamed", "removed", "options"):
            if not isinstance(document.get(name), dict):
                raise _unreadable(path, f"has no object {name}")
        try:
            return cls(
                provenance=Provenance(**document["source"]),
                count=document["count"],
                types=document["types"],
                tree=document["options"],
                read_only=frozenset(document["readOnly"]),
                renamed=document["renamed"],
                removed=document["removed"],
            )
        except (KeyError, TypeError) as error:
            raise _unreadable(path, f"is incomplete: {error}") from error

    def text(self) -> str:
        """The document: sorted, and with lines of a length that a diff can show."""
        source = attrs.asdict(
            self.provenance, filter=lambda _, value: value not in (None, {}, True), recurse=False
        )
        document = {
            "schema": SCHEMA,
            "source": {
                name: dict(value) if isinstance(value, Mapping) else value
                for name, value in source.items()
            },
            "count": self.count,
            "types": {number: self.types[number] for number in sorted(self.types, key=int)},
            "readOnly": sorted(self.read_only),
            "renamed": dict(sorted(self.renamed.items())),
            "removed": dict(sorted(self.removed.items())),
            "options": self.tree,
        }
        return "\n".join(_lines(document, "")) + "\n"

    @cached_property
    def root(self) -> Node:
        return _Place(self, self.tree, ())

    def described(self, number: int) -> str:
        """The description of a type.

        :raises LockError: the file was edited, or merged badly.
        """
        try:
            return self.types[str(number)]
        except KeyError:
            raise _unreadable(Path(_NAME), f"has no type {number}") from None

    def options(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The path of every option that still is one, and the description of its type; sorted."""
        for path, number in _walk(self.tree, ()):
            if show(path) not in self.removed:
                yield path, self.described(number)


@attrs.frozen(eq=False)
class _Place:
    """A `Node` of the document."""

    _stub: Stub
    _content: Mapping[str, Any] | int
    _path: tuple[str, ...]

    @property
    def _members(self) -> Mapping[str, Any]:
        return self._content if isinstance(self._content, Mapping) else {}

    @property
    def type(self) -> Type | None:
        number = self._content if isinstance(self._content, int) else self._members.get(_TYPE)
        return None if number is None else parse(self._stub.described(number))

    @property
    def is_set(self) -> bool:
        return not isinstance(self._content, int) and _TYPE not in self._content

    @property
    def freeform(self) -> Type | None:
        number = self._members.get(_FREEFORM)
        return None if number is None else parse(self._stub.described(number))

    @property
    def read_only(self) -> bool:
        return show(self._path) in self._stub.read_only

    @property
    def removed(self) -> str | None:
        return self._stub.removed.get(show(self._path))

    @property
    def renamed(self) -> str | None:
        return self._stub.renamed.get(show(self._path))

    def child(self, name: str) -> Node | None:
        return self._below(name) if _is_name(name) else None

    def member(self) -> Node | None:
        return next((self._below(name) for name in self._members if is_placeholder(name)), None)

    def item(self) -> Node | None:
        return self._below(ITEM)

    def names(self) -> Iterator[str]:
        return filter(_is_name, self._members)

    def options(self) -> Iterator[tuple[str, ...]]:
        return (
            path
            for path, _ in _walk(self._members, self._path, follow=_is_name)
            if path != self._path
        )

    def _below(self, name: str) -> Node | None:
        content = self._members.get(name)
        if content is None:
            return None
        path = (*self._path, name)
        if not isinstance(content, (int, dict)):
            raise _unreadable(Path(_NAME), f"has neither a type nor a set at {show(path)}")
        return _Place(self._stub, content, path)


def _unreadable(path: Path, why: str) -> LockError:
    return LockError(
        f"{path.name} {why}",
        where=path.name,
        hint="restore it with git, or read the options again with: nixgen inputs options",
    )


def _numbers(descriptions: Iterable[str]) -> Mapping[str, int]:
    """Each description with a number of at most five digits."""
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
    """Whether there was nothing."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    return tree.setdefault(path[-1], number) is number


def _folded(tree: dict[str, Any]) -> Any:
    """Sorted, with a bare number for what has nothing below it."""
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
    """Every option with the number of its type, sorted by where they lie."""
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
    """JSON whose objects are split over lines as far as they are too long for one."""
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
