"""What an evaluation is for: derivations, by the name of the target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

__all__ = ["Target"]


def _outputs(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class Target:
    """A derivation of the generated tree.

    :param attr: attribute path, such as ``machines.web``.
    :param drv: store path of the derivation.
    :param outputs: store path by output name.
    """

    attr: str
    drv: str
    outputs: Mapping[str, str] = field(converter=_outputs, hash=False)

    @property
    def out(self) -> str:
        """The main output."""
        return self.outputs.get("out") or next(iter(self.outputs.values()))

    @classmethod
    def from_json(cls, attr: str, value: Any) -> Target:
        """:raises ValueError: (or LookupError, TypeError, AttributeError) when it is no target."""
        drv, outputs = value["drv"], dict(value["outputs"])
        words = (attr, drv, *outputs, *outputs.values())
        if not outputs or not all(isinstance(word, str) and word for word in words):
            message = f"{attr} is no target"
            raise ValueError(message)
        return cls(attr=attr, drv=drv, outputs=outputs)

    def to_json(self) -> dict[str, object]:
        return {"drv": self.drv, "outputs": dict(self.outputs)}
