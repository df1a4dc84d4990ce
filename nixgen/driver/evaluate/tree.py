"""A generated tree, and what its function is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from attrs import field, frozen

from nixgen.driver.commands.nix import MIRRORS_VARIABLE

__all__ = ["Tree"]


def _frozen(value: Mapping[str, Path]) -> Mapping[str, Path]:
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class Tree:
    """
    :param file: its default.nix (docs/contracts.md §1).
    :param inputs: trees, absolute, in place of the pins of the same names.
    :param mirrors: value of ``NIXGEN_DEBIAN_MIRRORS`` for Nix, as it is.
    """

    file: Path
    base: str = "debian"
    system: str | None = None
    environment: str | None = None
    inputs: Mapping[str, Path] = field(factory=dict, converter=_frozen, hash=False)
    mirrors: str | None = None

    @property
    def arguments(self) -> str:
        """What the function in ``file`` is given, as JSON; the rest is left to its defaults."""
        given = {
            "base": self.base,
            "system": self.system,
            "environment": self.environment,
            "inputs": {name: str(path) for name, path in self.inputs.items()} or None,
        }
        return json.dumps(
            {name: value for name, value in given.items() if value is not None}, ensure_ascii=False
        )

    @property
    def variables(self) -> Mapping[str, str]:
        """What Nix finds in its environment."""
        return {} if self.mirrors is None else {MIRRORS_VARIABLE: self.mirrors}
