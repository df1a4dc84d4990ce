"""From attribute names to a closed set of exact packages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from attrs import field, frozen

from nixgen.debian.components import components
from nixgen.debian.index import Entry, Index
from nixgen.debian.lock import Architecture, Busybox, Locked
from nixgen.debian.policy import Policy, attributes, default_policy, kernel
from nixgen.debian.version import satisfies, version_key
from nixgen.errors import ModelError, Problem

__all__ = ["BASE_ROOTS", "Relation", "Resolution", "parse_relations", "resolve", "root_packages"]

#: The roots that the base itself needs, besides what a project names.
BASE_ROOTS = ("_build", "_machine", "_kernel")

_RELATION = re.compile(
    r"\s*([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?"
)


@frozen
class Relation:
    """``name (operator version)``; the operator is empty when any version will do."""

    name: str
    operator: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        return not self.operator or satisfies(version, self.operator, self.version)


@frozen(kw_only=True)
class Resolution:
    """A closed set of packages; what is missing from a lock's architecture is only the busybox hash."""

    roots: Mapping[str, tuple[str, ...]]
    packages: Mapping[str, Locked]
    units: Mapping[str, tuple[str, ...]]

    def with_busybox(self, busybox: Busybox) -> Architecture:
        return Architecture(
            roots=self.roots, packages=self.packages, units=self.units, busybox=busybox
        )


@cache
def parse_relations(text: str) -> tuple[tuple[Relation, ...], ...]:
    """``a (>= 1) | b, c`` as groups of alternatives.

    Architecture qualifiers are dropped: an index is of one architecture.
    https://www.debian.org/doc/debian-policy/ch-relationships.html
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
        """The newest version; a security update wins because its version is higher."""
        if name not in self._best:
            found = self.index.versions(name)
            self._best[name] = max(found, key=lambda e: version_key(e.version), default=None)
        return self._best[name]

    def candidate(self, relation: Relation) -> Entry | None:
        """The package itself when it exists in a version that will do, else a provider: one that was asked for by
        name, or the first in name order.
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
        """A versioned relation is only satisfied by a versioned Provides (policy, section 7.5)."""
        for group in parse_relations(entry.provides):
            for provided in group:
                if provided.name == wanted.name and (
                    not wanted.operator or (provided.version and wanted.allows(provided.version))
                ):
                    return True
        return False

    def depends(self, entry: Entry) -> Iterator[Entry]:
        """:raises KeyError: no alternative of a dependency exists; the text is the dependency."""
        for group in (*parse_relations(entry.pre_depends), *parse_relations(entry.depends)):
            if any(not self.policy.follows(entry.name, r.name) for r in group):
                continue
            found = next((c for c in map(self.candidate, group) if c), None)
            if found is None:
                raise KeyError(" | ".join(relation.name for relation in group))
            if found.name != entry.name and self.policy.follows(entry.name, found.name):
                yield found


def root_packages(
    attribute: str, index: Index, overrides: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The Debian packages behind an attribute name: the project's own word, the table, or the name itself."""
    if attribute in overrides:
        return overrides[attribute]
    if attribute == "_kernel":
        name = kernel(index.architecture)
        return (name,) if name else ()
    alternatives = attributes().get(attribute, ())
    for packages in alternatives:
        if all(index.versions(name) for name in packages):
            return packages
    return alternatives[-1] if alternatives else (attribute,)


def _closest(name: str, index: Index) -> str:
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
    policy: Policy | None = None,
    paths: Mapping[str, tuple[str, str | None]] | None = None,
) -> Resolution:
    """Everything that ``wanted`` attribute names need, base roots included when named.

    :param overrides: attribute name → Debian packages, from ``Package(debian=…)``.
    :param paths: attribute name → (model path, ``file:line``), for messages.
    :raises ModelError: packages that do not exist, all at once, each with the closest names.
    """
    resolver = _Resolver(index, policy or default_policy())
    roots = {name: root_packages(name, index, overrides or {}) for name in sorted(set(wanted))}
    problems: list[Problem] = []

    def report(attribute: str, message: str, hint: str | None) -> None:
        path, where = (paths or {}).get(attribute, (f"packages.{attribute}", None))
        problems.append(Problem(path, message, where=where, hint=hint))

    resolver.preferred.update(name for names in roots.values() for name in names)
    queue: list[tuple[Entry, str]] = []
    for attribute, names in roots.items():
        for name in names:
            entry = resolver.best(name) or resolver.candidate(Relation(name))
            if entry is None:
                report(attribute, f"{index.suite} has no package {name!r}", _closest(name, index))
            else:
                queue.append((entry, attribute))
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
        roots={
            attribute: tuple(
                (resolver.best(n) or resolver.candidate(Relation(n)) or entries[n]).name
                for n in names
            )
            for attribute, names in roots.items()
        },
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
