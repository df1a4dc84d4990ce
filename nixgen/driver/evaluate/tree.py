"""A generated tree, and the arguments of its function."""

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
    """A generated tree, and the arguments of the function in its ``default.nix``.

    :param file: the ``default.nix`` of the tree (docs/contracts.md §1).
    :param base: the base that machines and images are built on.
    :param system: Nix's platform, such as ``x86_64-linux``; None for Nix's own.
    :param environment: the name of the environment; None for the project's default.
    :param inputs: input → a local folder, absolute, that replaces its pin.
    :param mirrors: the value of ``NIXGEN_DEBIAN_MIRRORS`` for Nix; None leaves it out.
    """

    file: Path
    base: str = "debian"
    system: str | None = None
    environment: str | None = None
    inputs: Mapping[str, Path] = field(factory=dict, converter=_frozen, hash=False)
    mirrors: str | None = None

    @property
    def arguments(self) -> str:
        """The arguments of the function in ``file``, as JSON, without those that are None."""
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
        """Additions to the environment of Nix."""
        return {} if self.mirrors is None else {MIRRORS_VARIABLE: self.mirrors}
