"""The dependencies that a program in the store needs, and those that it does not.

The data is in data/policy.json, with the reasons.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from attrs import frozen

__all__ = ["Policy", "Refusal", "attributes", "default_policy", "kernel", "refusal_of", "refusals"]


@cache
def _data(name: str) -> Mapping[str, Any]:
    text = resources.files("nixgen.debian").joinpath("data", name).read_text("utf-8")
    # comments have the key _
    document: dict[str, Any] = json.loads(
        text, object_pairs_hook=lambda pairs: {key: value for key, value in pairs if key != "_"}
    )
    return document


@frozen(kw_only=True)
class Policy:
    """The dependencies that are not followed, and the packages that stay together.

    :param skip: packages that no other package needs.
    :param drop: the pattern of a package, and of a dependency that it does not need.
    :param keep: the pattern of a package, and the packages of ``skip`` that it does need.
    :param units: name of a unit → the pattern of its members.
    """

    skip: frozenset[str] = frozenset()
    drop: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = ()
    keep: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = ()
    units: Mapping[str, re.Pattern[str]]

    def follows(self, package: str, dependency: str) -> bool:
        """Whether a package needs a dependency when it runs from the store.

        :param package: the name of the package.
        :param dependency: the name of the dependency.
        """
        if dependency in self.skip:
            return any(dependency in names and p.fullmatch(package) for p, names in self.keep)
        return not any(p.fullmatch(package) and d.fullmatch(dependency) for p, d in self.drop)

    def unit(self, package: str) -> str | None:
        """The unit that a package belongs to; None for a package of its own.

        :param package: the name of the package.
        """
        return next((name for name, p in self.units.items() if p.fullmatch(package)), None)


@cache
def default_policy() -> Policy:
    """The policy of data/policy.json."""
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
    """Nixpkgs attribute name → alternatives, each some Debian packages."""
    table = _data("attributes.json")
    return {name: tuple(map(tuple, alternatives)) for name, alternatives in table.items()}


def kernel(architecture: str) -> str | None:
    """The kernel package for virtual machines; None if nixgen knows none.

    :param architecture: Debian's name, such as ``amd64``.
    """
    name: str | None = _data("kernels.json").get(architecture)
    return name


@frozen(kw_only=True)
class Refusal:
    """Packages that can be built and cannot run from the store, all for one reason.

    :param packages: matches the whole name of each package.
    :param examples: a few names.
    :param reason: why they cannot run, as the end of a sentence.
    :param instead: what to do instead.
    """

    packages: re.Pattern[str]
    examples: tuple[str, ...]
    reason: str
    instead: str


@cache
def refusals() -> tuple[Refusal, ...]:
    """The refusals of data/refusals.json."""
    return tuple(
        Refusal(
            packages=re.compile(row["packages"]),
            examples=tuple(row["examples"]),
            reason=row["reason"],
            instead=row["instead"],
        )
        for row in _data("refusals.json")["refusals"]
    )


def refusal_of(package: str) -> Refusal | None:
    """The reason why a package cannot run from the store; None if nothing is known against it.

    :param package: the name of the package.
    """
    return next((each for each in refusals() if each.packages.fullmatch(package)), None)
