"""The derivation of a target: the result of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from attrs import field, frozen

from nixgen.records.rules import Rule, Text
from nixgen.records.structure import parse_as

__all__ = ["Outputs", "Target"]

#: Output name → store path; at least one.
Outputs = Annotated[Mapping[str, Text], Rule(bool, "an output")]


def _outputs(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class _Derivation:
    drv: Text
    outputs: Outputs


@frozen(kw_only=True)
class Target:
    """A target of the generated tree, and its derivation.

    :param attr: the attribute path, such as ``machines.web``.
    :param drv: the store path of the derivation.
    :param outputs: output name → store path.
    """

    attr: str
    drv: str
    outputs: Mapping[str, str] = field(converter=_outputs, hash=False)

    @property
    def out(self) -> str:
        """The main output."""
        return self.outputs.get("out") or next(iter(self.outputs.values()))

    @classmethod
    def parse(cls, attr: str, text: str | bytes) -> Target:
        """Read the JSON ``{"drv": …, "outputs": {…}}``, with other members beside these.

        :param attr: attribute path of the target.
        :param text: the JSON.
        :raises ValueError: the text is something else.
        """
        derivation: _Derivation = parse_as(_Derivation, text)
        return cls(attr=attr, drv=derivation.drv, outputs=derivation.outputs)

    def to_json(self) -> dict[str, object]:
        """The object that `parse` reads."""
        return {"drv": self.drv, "outputs": dict(self.outputs)}
