"""Which dependencies a program in the store really needs; the reasons are beside the data, in data/policy.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from attrs import frozen

__all__ = ["Policy", "attributes", "default_policy", "kernel"]


@cache
def _data(name: str) -> Mapping[str, Any]:
    text = resources.files("nixgen.debian").joinpath("data", name).read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return _without_remark(document)


def _without_remark(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A key ``_`` is the table's remark for its readers."""
    return {
        key: _without_remark(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if key != "_"
    }


@frozen(kw_only=True)
class Policy:
    """Edges that are not followed, and packages that stay together.

    :param skip: names that no dependency pulls in.
    :param drop: (pattern of a package, pattern of a dependency) pairs.
    :param keep: pattern of a package → names of ``skip`` that it does need.
    :param units: unit name → pattern of its members.
    """

    skip: frozenset[str] = frozenset()
    drop: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = ()
    keep: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = ()
    units: Mapping[str, re.Pattern[str]]

    def follows(self, package: str, dependency: str) -> bool:
        """Whether ``package`` needs ``dependency`` when it runs from the store."""
        if dependency in self.skip:
            return any(dependency in names and p.fullmatch(package) for p, names in self.keep)
        return not any(p.fullmatch(package) and d.fullmatch(dependency) for p, d in self.drop)

    def unit(self, package: str) -> str | None:
        return next((name for name, p in self.units.items() if p.fullmatch(package)), None)


@cache
def default_policy() -> Policy:
    data = _data("policy.json")
    return Policy(
        skip=frozenset(data["skip"]),
        drop=tuple(
            (re.compile(package), re.compile(dependency))
            for package, edges in data["drop"].items()
            for dependency in edges
        ),
        keep=tuple(
            (re.compile(package), frozenset(names)) for package, names in data["keep"].items()
        ),
        units={name: re.compile(pattern) for name, pattern in data["units"].items()},
    )


def attributes() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """By nixpkgs attribute name: alternatives, each a tuple of Debian packages."""
    table = _data("attributes.json")
    return {name: tuple(map(tuple, alternatives)) for name, alternatives in table.items()}


def kernel(architecture: str) -> str | None:
    """The kernel package for virtual machines of a Debian architecture."""
    name: str | None = _data("kernels.json").get(architecture)
    return name
