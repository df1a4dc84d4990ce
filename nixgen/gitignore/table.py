"""The table of .gitignore rules that the generated Nix code applies to sources."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nixgen.gitignore.rules import Rule

__all__ = ["IgnoreTable"]


@attrs.frozen(kw_only=True)
class IgnoreTable:
    """The .gitignore rules that apply to the sources of a project.

    :param rules: top folder, as a path from the project → folder below the top folder (empty for the
        top folder itself) → the rules of the .gitignore file in that folder.
    :param places: path of a source, as its model has it → the top folder whose rules apply to the
        source, and the path of the source from the top folder.
    """

    rules: Mapping[str, Mapping[str, tuple[Rule, ...]]] = attrs.field(factory=dict)
    places: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
