"""Nested Python data as Nix attribute sets in the form that people write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nixgen import syntax as nix
from nixgen.syntax import Expr

__all__ = ["folded"]


def folded(value: Any) -> Expr:
    """Convert nested data to an expression. A set with one attribute becomes a path:
    ``spec.replicas = 1``, not ``spec = { replicas = 1; }``.

    :param value: Data as `nixgen.syntax.quote` takes it; expressions may stand among it.
    """
    if isinstance(value, Mapping):
        return nix.AttrSet(
            {
                path: folded(item)
                for path, item in (_path((key,), item) for key, item in value.items())
            }
        )
    if isinstance(value, (list, tuple)):
        return nix.List(tuple(map(folded, value)))
    return nix.quote(value)


def _path(path: tuple[str, ...], value: Any) -> tuple[tuple[str, ...], Any]:
    while isinstance(value, Mapping) and len(value) == 1:
        ((key, value),) = value.items()
        path = (*path, key)
    return path, value
