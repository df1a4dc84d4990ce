"""The text of manifests: YAML, or a JSON List. kubectl reads both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

__all__ = ["Octal", "to_json", "to_yaml"]

# Text that needs no quotes. YAML 1.1, YAML 1.2 and the parsers of Python and Go disagree about numbers
# (1e3, 08, 0o7, 1_000, 12:30), dates and booleans (y, on), so text that begins like one is quoted.
_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./@+=~()'$%?;-]|:(?=[^\s])| (?=[A-Za-z0-9_./(]))*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class Octal(int):
    """The mode of a file. YAML has it as ``0400``; JSON has no octal numbers."""

    __slots__ = ()


def to_yaml(resources: Iterable[Mapping[str, Any]]) -> str:
    """A stream of YAML documents, one for each resource. Keys keep their order.

    Every YAML parser reads the same values.

    :param resources: the resources.
    """
    import yaml

    return yaml.dump_all(
        resources,
        Dumper=_dumper(),
        explicit_start=True,
        default_flow_style=False,
        allow_unicode=True,
        sort_keys=False,
        # no line is folded
        width=2**31,
    )


def to_json(resources: Iterable[Mapping[str, Any]]) -> str:
    """One ``List`` in JSON, which kubectl also reads.

    :param resources: the resources.
    """
    listed = {"apiVersion": "v1", "kind": "List", "items": list(resources)}
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


@cache
def _dumper() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
            return True

    def represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))

    def represent_octal(dumper: yaml.SafeDumper, value: Octal) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:int", f"0{value:o}")

    Dumper.add_representer(str, represent)
    Dumper.add_representer(Octal, represent_octal)
    return Dumper


def _style(value: str) -> str | None:
    if "\n" in value and value.replace("\n", "").isprintable():
        # line by line; PyYAML itself quotes text that begins or ends with a space
        return "|"
    if value.lower() not in _WORDS and _PLAIN.fullmatch(value):
        return None
    return '"'
