"""The rules of several files, as Nix gets them."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nixgen.gitignore.rules import Rule

__all__ = ["IgnoreTable"]


@attrs.frozen(kw_only=True)
class IgnoreTable:
    """What .gitignore files say of a project's sources.

    :param rules: top folder, as a path from the project → folder below it, which is empty for the top → the rules of its file.
    :param places: path of a source, as its model has it → the top whose rules count for it, and its path from there.
    """

    rules: Mapping[str, Mapping[str, tuple[Rule, ...]]] = attrs.field(factory=dict)
    places: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
