"""Paths of options: the names that the user chooses, and the text of a path as Nix writes it."""

from __future__ import annotations

import re

__all__ = ["ITEM", "is_placeholder", "show"]

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
