"""Resolve attribute names: choose the versions of all packages that they need."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from attrs import field, frozen

from nixgen.debian.components import components
from nixgen.debian.index import Entry, Index
from nixgen.debian.libraries import is_library, library_fault, library_packages, suggest_library
from nixgen.debian.lock import Locked, Resolution
from nixgen.debian.policy import Policy, attributes, default_policy, kernel, refusal_of
from nixgen.debian.version import satisfies, version_key
from nixgen.errors import ModelError, Problem

__all__ = ["BASE_ROOTS", "Relation", "parse_relations", "resolve", "root_packages"]

#: The roots of the base itself.
BASE_ROOTS = ("_build", "_machine", "_kernel")

_RELATION = re.compile(
    r"\s*([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?"
)


@frozen
class Relation:
    """A dependency, ``name (operator version)``.

    :param name: the name of a package.
    :param operator: one of ``<< <= = >= >>``; empty if any version satisfies it.
    :param version: the version; empty without an operator.
    """

    name: str
    operator: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        """Whether a version satisfies it.

        :param version: the version.
        """
        return not self.operator or satisfies(version, self.operator, self.version)


@cache
def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """Read a field such as ``a (>= 1) | b, c`` into groups of alternatives.

    Architectures are left out, because an index has one architecture. The syntax is described at
    https://www.debian.org/doc/debian-policy/ch-relationships.html.

    :param text: the value of the field.
    """
    groups = []
    for part in text.split(","):
        matches = (_RELATION.match(alternative) for alternative in part.split("|"))
        group = tuple(Relation(m[1], m[2] or "", m[3] or "") for m in matches if m)
        if group:
            groups.append(group)
    return tuple(groups)


@frozen
class _Resolver:
    index: Index
    policy: Policy
    preferred: set[str] = field(factory=set, init=False)
    _best: dict[str, Entry | None] = field(factory=dict, init=False)

    def best(self, name: str) -> Entry | None:
        """The newest version of a package. That of a security update is higher."""
        if name not in self._best:
            versions = self.index.versions(name)
            self._best[name] = max(versions, key=lambda e: version_key(e.version), default=None)
        return self._best[name]

    def candidate(self, relation: Relation) -> Entry | None:
        """The package itself, if its newest version satisfies the relation, or else a provider.

        A provider that the project names comes first, then the others in the order of their names.
        """
        own = self.best(relation.name)
        if own and relation.allows(own.version):
            return own
        providers = self.index.providers(relation.name)
        for name in sorted(providers, key=lambda n: (n not in self.preferred, n)):
            provider = self.best(name)
            if provider and self._provides(provider, relation):
                return provider
        return None

    @staticmethod
    def _provides(entry: Entry, wanted: Relation) -> bool:
        """Whether a package provides a name, and the wanted version if there is one (policy, 7.5)."""
        provided = (each for group in parse_relations(entry.provides) for each in group)
        return any(
            each.name == wanted.name
            and (not wanted.operator or (each.version != "" and wanted.allows(each.version)))
            for each in provided
        )

    def depends(self, entry: Entry) -> Iterator[Entry]:
        """The packages that a package needs.

        :raises KeyError: no alternative of a dependency exists; the key is the dependency.
        """
        for group in (*parse_relations(entry.pre_depends), *parse_relations(entry.depends)):
            if any(not self.policy.follows(entry.name, r.name) for r in group):
                continue
            needed = next((c for c in map(self.candidate, group) if c), None)
            if needed is None:
                raise KeyError(" | ".join(relation.name for relation in group))
            if needed.name != entry.name and self.policy.follows(entry.name, needed.name):
                yield needed


def root_packages(
    attribute: str,
    index: Index,
    overrides: Mapping[str, tuple[str, ...]],
    attribute_paths: Mapping[str, str],
) -> tuple[str, ...]:
    """The Debian packages of an attribute: those of the project, of the table, or of the same name.

    :param attribute: the nixpkgs attribute name, or the attribute path of a library.
    :param index: the packages of the suite.
    :param overrides: attribute name → Debian packages, from ``Package(debian=…)``.
    :param attribute_paths: attribute name → path in nixpkgs, from ``Package(nixpkgs=…)``.
    """
    if attribute in overrides:
        return overrides[attribute]
    path = attribute_paths.get(attribute, attribute)
    if is_library(path):
        return library_packages(path, index)
    if attribute == "_kernel":
        name = kernel(index.architecture)
        return (name,) if name else ()
    alternatives = attributes().get(attribute, ())
    for packages in alternatives:
        if all(index.versions(name) for name in packages):
            return packages
    return alternatives[-1] if alternatives else (attribute,)


def _closest(name: str, index: Index) -> str:
    library = suggest_library(name, index)
    if library is not None:
        return library
    names = set(index.names()) | attributes().keys()
    close = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.75)
    return (
        f"did you mean {', '.join(close)}?" if close else "look at packages.debian.org for its name"
    )


def resolve(
    wanted: Iterable[str],
    index: Index,
    *,
    overrides: Mapping[str, tuple[str, ...]] | None = None,
    attribute_paths: Mapping[str, str] | None = None,
    policy: Policy | None = None,
    paths: Mapping[str, tuple[str, str | None]] | None = None,
) -> Resolution:
    """Choose the versions of all packages that some attributes need.

    :param wanted: nixpkgs attribute names, attribute paths of libraries, and names of `BASE_ROOTS`.
    :param index: the packages of the suite.
    :param overrides: attribute name → Debian packages, from ``Package(debian=…)``.
    :param attribute_paths: attribute name → path in nixpkgs, from ``Package(nixpkgs=…)``. Paths of
        libraries count, such as ``python3Packages.flask``.
    :param policy: the dependencies to follow; None for `default_policy`.
    :param paths: attribute name → the path in the models and the ``file:line``, for messages.
    :raises ModelError: packages do not exist, or cannot run from the store. The error lists all,
        with the closest names, or what to do instead.
    """
    resolver = _Resolver(index, policy or default_policy())
    known_paths = attribute_paths or {}
    roots = {
        name: root_packages(name, index, overrides or {}, known_paths)
        for name in sorted(set(wanted))
    }
    problems: list[Problem] = []

    def report(attribute: str, message: str, hint: str | None) -> None:
        path, where = (paths or {}).get(attribute, (f"packages.{attribute}", None))
        problems.append(Problem(path, message, where=where, hint=hint))

    resolver.preferred.update(name for names in roots.values() for name in names)
    queue: list[tuple[Entry, str]] = []
    chosen: dict[str, list[str]] = {attribute: [] for attribute in roots}
    for attribute, names in roots.items():
        for name in names:
            entry = resolver.best(name) or resolver.candidate(Relation(name))
            path = known_paths.get(attribute, attribute)
            if entry is None and is_library(path) and attribute not in (overrides or {}):
                report(attribute, *library_fault(path, index))
            elif entry is None:
                report(attribute, f"{index.suite} has no package {name!r}", _closest(name, index))
            elif attribute not in BASE_ROOTS and (refused := refusal_of(entry.name)) is not None:
                message = f"{entry.name} cannot run from the store: {refused.reason}"
                report(attribute, message, refused.instead)
            else:
                queue.append((entry, attribute))
                chosen[attribute].append(entry.name)
    entries: dict[str, Entry] = {}
    edges: dict[str, tuple[str, ...]] = {}
    while queue:
        entry, attribute = queue.pop()
        if entry.name in entries:
            continue
        entries[entry.name] = entry
        try:
            needed = list(resolver.depends(entry))
        except KeyError as error:
            report(
                attribute, f"{entry.name} needs {error.args[0]}, which {index.suite} lacks", None
            )
            continue
        edges[entry.name] = tuple(sorted({e.name for e in needed}))
        queue.extend((e, attribute) for e in needed)
    if problems:
        raise ModelError(problems)
    return Resolution(
        roots={attribute: tuple(names) for attribute, names in chosen.items()},
        packages={name: _lock(entry, edges[name]) for name, entry in sorted(entries.items())},
        units=components(edges, resolver.policy.unit),
    )


def _lock(entry: Entry, depends: tuple[str, ...]) -> Locked:
    return Locked(
        version=entry.version,
        archive=entry.archive,
        path=entry.path,
        sha256=entry.sha256,
        size=entry.size,
        depends=depends,
    )
