"""The options of a tree, as what they are: sets of options, options, and options below options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from nixgen.options.types import Type

__all__ = ["ITEM", "Node", "is_placeholder", "show"]

#: What stands for any position in a list.
ITEM = "*"
# lib.strings.escapeNixIdentifier, and what Nix 2.8 and later print bare
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"})


def is_placeholder(name: str) -> bool:
    """``<name>``: stands for any name in a set."""
    return name.startswith("<") and name.endswith(">")


def show(path: tuple[str, ...]) -> str:
    """``services.nginx.virtualHosts."example.org".root``, as it is written in Nix."""
    return ".".join(map(_part, path))


def _part(name: str) -> str:
    if name == ITEM or is_placeholder(name):
        return name
    if _BARE.fullmatch(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'


class Node(Protocol):
    """A place in the tree: an option when it has a type, a set of options when not."""

    @property
    def type(self) -> Type | None: ...

    @property
    def is_set(self) -> bool:
        """Whether it is nothing but a set of options."""
        ...

    @property
    def freeform(self) -> Type | None:
        """The type of a set of what is not declared here; None when nothing else may be set."""
        ...

    @property
    def read_only(self) -> bool: ...

    @property
    def removed(self) -> str | None:
        """Why NixOS no longer has this option, which it still knows; empty when it does not say."""
        ...

    @property
    def renamed(self) -> str | None:
        """The option that this is an old name of."""
        ...

    def child(self, name: str) -> Node | None:
        """What is declared below under exactly this name."""
        ...

    def member(self) -> Node | None:
        """What is declared below for any name of a set."""
        ...

    def item(self) -> Node | None:
        """What is declared below for any position of a list."""
        ...

    def names(self) -> Iterator[str]:
        """The names that are declared below; no placeholders."""
        ...

    def options(self) -> Iterator[tuple[str, ...]]:
        """The paths of all options below, as far as they can be named without a choice of the user's."""
        ...
