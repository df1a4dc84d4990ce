"""Nested Python data as Nix attribute sets in the form that people write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from nixgen import syntax as nix
from nixgen.syntax import Expr

__all__ = ["folded", "present"]


_Key = TypeVar("_Key", str, tuple[str, ...], str | tuple[str, ...])


def present(options: Mapping[_Key, Any]) -> dict[_Key, Expr]:
    """Convert the values of options to expressions, without the options that are None.

    :param options: Data as `nixgen.syntax.quote` takes it, by the name or path of each option.
    """
    return {key: nix.quote(value) for key, value in options.items() if value is not None}


def folded(value: Any) -> Expr:
    """Convert nested data to an expression. A set with one attribute becomes a path:
    ``spec.replicas = 1``, not ``spec = { replicas = 1; }``.

    :param value: Data as `nixgen.syntax.quote` takes it; expressions may stand among it.
    """
    if isinstance(value, Mapping):
        pairs = (_path((key,), item) for key, item in value.items())
        return nix.AttrSet({path: folded(item) for path, item in pairs})
    if isinstance(value, (list, tuple)):
        return nix.List(map(folded, value))
    return nix.quote(value)


def _path(path: tuple[str, ...], value: Any) -> tuple[tuple[str, ...], Any]:
    while isinstance(value, Mapping) and len(value) == 1:
        ((key, value),) = value.items()
        path = (*path, key)
    return path, value
