"""The packages and sources that a project mentions, and the rules between packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nixgen.errors import Problem
from nixgen.models.core import Model, at
from nixgen.models.files import Package, Source
from nixgen.models.project import Project
from nixgen.models.rules.visit import Visit, visit_of
from nixgen.models.text import Text

__all__ = ["RULES", "packages_of", "renamed_packages", "sources_of"]


def _packages_agree(project: Project) -> Iterator[Problem]:
    """Yield a problem for each attribute name that two packages describe differently."""
    visit = visit_of(project)
    meanings: dict[str, Package] = {}
    for index, package in _packages(visit):
        known = meanings.setdefault(package.name, package)
        if (known.debian, known.nixpkgs) != (package.debian, package.nixpkgs):
            yield Problem(
                visit.path(index),
                f"the package {package.name!r} is described differently at {at(known)}",
                where=at(package),
                hint="use one Package object for both",
            )


def packages_of(project: Project) -> Iterator[tuple[str, Package]]:
    """Yield every `Package` that the project mentions anywhere, with its model path.

    :param project: Project to read.
    """
    visit = visit_of(project)
    for index, package in _packages(visit):
        yield visit.path(index), package


def renamed_packages(project: Project) -> Mapping[str, str]:
    """Map the packages that have another name on nixpkgs to their attribute path there.

    :param project: Project to read.
    """
    return {
        package.name: package.nixpkgs
        for _, package in _packages(visit_of(project))
        if package.nixpkgs is not None
    }


def sources_of(root: Model) -> Iterator[tuple[str, Source]]:
    """Yield every `Source` that a model mentions anywhere, once, with its model path. A source
    inside a text has the path of the text.

    :param root: Model to search, with all models below it.
    """
    seen: set[int] = set()
    visit = visit_of(root)
    for index, value in enumerate(visit.values):
        for part in value.parts if isinstance(value, Text) else (value,):
            if isinstance(part, Source) and id(part) not in seen:
                seen.add(id(part))
                yield visit.path(index), part


def _packages(visit: Visit) -> Iterator[tuple[int, Package]]:
    for index, value in enumerate(visit.values):
        if isinstance(value, Package):
            yield index, value
        elif isinstance(value, Text):
            for part in value.parts:
                if isinstance(part, Package):
                    yield index, part


RULES = (_packages_agree,)
