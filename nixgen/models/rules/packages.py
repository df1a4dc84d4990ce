"""The packages and sources that a project mentions, and the rules between packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from nixgen.errors import Problem
from nixgen.models.core import Model, at
from nixgen.models.files import Package, Source
from nixgen.models.project import Project
from nixgen.models.rules.visit import visit_of
from nixgen.models.text import Text

__all__ = ["packages_of", "renamed_packages", "sources_of"]


def _packages_agree(project: Project) -> Iterator[Problem]:
    """Yield a problem for each attribute name that two packages describe differently."""
    meanings: dict[str, Package] = {}
    for index, package in _packages(project):
        known = meanings.setdefault(package.name, package)
        if (known.debian, known.nixpkgs) != (package.debian, package.nixpkgs):
            yield Problem(
                visit_of(project).path(index),
                f"the package {package.name!r} is described differently at {at(known)}",
                where=at(package),
                hint="use one Package object for both",
            )


def packages_of(project: Project) -> Iterator[tuple[str, Package]]:
    """Yield every `Package` that the project mentions anywhere, with its model path.

    :param project: Project to read.
    """
    visit = visit_of(project)
    for index, package in _packages(project):
        yield visit.path(index), package


def renamed_packages(project: Project) -> Mapping[str, str]:
    """Map the packages that have another name on nixpkgs to their attribute path there.

    :param project: Project to read.
    """
    return {
        package.name: package.nixpkgs
        for _, package in _packages(project)
        if package.nixpkgs is not None
    }


def sources_of(root: Model) -> Iterator[tuple[str, Source]]:
    """Yield every `Source` that a model mentions anywhere, once, with its model path. A source
    inside a text has the path of the text.

    :param root: Model to search, with all models below it.
    """
    seen: set[int] = set()
    visit = visit_of(root)
    for index, source in _mentioned(root):
        if isinstance(source, Source) and id(source) not in seen:
            seen.add(id(source))
            yield visit.path(index), source


def _packages(project: Project) -> Iterator[tuple[int, Package]]:
    return (
        (index, package) for index, package in _mentioned(project) if isinstance(package, Package)
    )


@lru_cache(maxsize=2)
def _mentioned(root: Model) -> tuple[tuple[int, Package | Source], ...]:
    """The packages and sources of a tree of models, each with the index of the value that mentions
    it: itself, or a text.
    """
    found: list[tuple[int, Package | Source]] = []
    for index, value in enumerate(visit_of(root).values):
        if isinstance(value, (Package, Source)):
            found.append((index, value))
        elif isinstance(value, Text):
            for part in value.parts:
                if isinstance(part, (Package, Source)):
                    found.append((index, part))  # noqa: PERF401 (one generator a text is slower)
    return tuple(found)


RULES = (_packages_agree,)
