"""The tree of options: sets of options, options, and options below options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from nixgen.options.types import Type

__all__ = ["ITEM", "Node", "is_placeholder", "show"]

#: The name that matches any position in a list.
ITEM = "*"
# lib.strings.escapeNixIdentifier, and what Nix 2.8 and later print bare
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*")
_KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"})


def is_placeholder(name: str) -> bool:
    """Whether a name has the form ``<name>``, which matches any name in a set.

    :param name: The name.
    """
    return name.startswith("<") and name.endswith(">")


def show(path: tuple[str, ...]) -> str:
    """A path as Nix writes it, such as ``services.nginx.virtualHosts."example.org".root``.

    :param path: The names in the path, without quotes.
    """
    return ".".join(map(_part, path))


def _part(name: str) -> str:
    if name == ITEM or is_placeholder(name):
        return name
    if _BARE.fullmatch(name) and name not in _KEYWORDS:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'


class Node(Protocol):
    """A node of the tree: an option if it has a type, else a set of options."""

    @property
    def type(self) -> Type | None: ...

    @property
    def is_set(self) -> bool:
        """Whether the node is only a set of options."""
        ...

    @property
    def freeform(self) -> Type | None:
        """The type of members that are not declared; None if only declared members may be set."""
        ...

    @property
    def read_only(self) -> bool: ...

    @property
    def removed(self) -> str | None:
        """The reason why NixOS removed the option; empty without a reason, None if not removed."""
        ...

    @property
    def renamed(self) -> str | None:
        """The new name of the option, if this is an old name."""
        ...

    def child(self, name: str) -> Node | None:
        """The node below with exactly this name, or None.

        :param name: The name.
        """
        ...

    def member(self) -> Node | None:
        """The node below for any name of a set, or None."""
        ...

    def item(self) -> Node | None:
        """The node below for any position of a list, or None."""
        ...

    def names(self) -> Iterator[str]:
        """The names that are declared below, without placeholders."""
        ...

    def options(self) -> Iterator[tuple[str, ...]]:
        """The paths of all options below, except paths with a name that the user chooses."""
        ...
