"""The Debian packages of libraries: ``python3Packages.flask`` is python3-flask.

Debian's policies fix the names: a Python library is called ``python3-`` and the name that programs
import, a Perl module ``lib…-perl``. data/libraries.json has them, and the names that differ.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from attrs import frozen

from nixgen.debian.index import Index

__all__ = ["is_library", "library_fault", "library_packages", "suggest_library"]

_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)")


@frozen(kw_only=True)
class _Set:
    """The libraries of a language.

    :param attribute: the attribute name of the interpreter.
    :param interpreter: a package that every program of the language depends on.
    :param patterns: the names of the package of a library, with ``{}`` for the library's name.
    :param names: name of a library → the name that Debian has for it.
    """

    attribute: str
    interpreter: str
    patterns: tuple[str, ...]
    names: Mapping[str, str]

    def debian_name(self, library: str) -> str:
        """The name of a library as Debian's policies write it, without what comes before it."""
        name = library.lower()
        name = self.names.get(name) or self.names.get(name.replace("_", "-")) or name
        return name.replace("::", "-").replace("_", "-").removeprefix("@").replace("/", "-")

    def candidates(self, library: str) -> Iterator[str]:
        """The names that the package of a library may have, the likeliest first."""
        name = self.debian_name(library)
        yield from (pattern.format(name) for pattern in self.patterns)


@cache
def _sets() -> Mapping[str, _Set]:
    text = resources.files("nixgen.debian").joinpath("data/libraries.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return {
        name: _Set(
            attribute=fields["attribute"],
            interpreter=fields["interpreter"],
            patterns=tuple(fields["patterns"]),
            names=fields["names"],
        )
        for name, fields in data.items()
        if name != "_"
    }


def is_library(attribute: str) -> bool:
    """Whether an attribute path is that of a library, such as ``python3Packages.flask``.

    :param attribute: the attribute path.
    """
    name, dot, library = attribute.partition(".")
    return bool(dot and library) and name in _sets()


def library_packages(attribute: str, index: Index) -> tuple[str, ...]:
    """The Debian packages of a library: itself, and its programs where they are a package of their
    own, such as python3-gunicorn and gunicorn.

    :param attribute: the attribute path of the library, see `is_library`.
    :param index: the packages of the suite.
    :return: packages that exist; if there are none, the likeliest name.
    """
    set_name, _, library = attribute.partition(".")
    libraries = _sets()[set_name]
    candidates = tuple(libraries.candidates(library))
    known = next((name for name in candidates if index.versions(name)), None)
    provided = next((name for name in candidates if index.providers(name)), None)
    program = libraries.debian_name(library)
    if known is None and provided is None:
        is_program = _depends_on(index, program, libraries.interpreter)
        return (program,) if is_program else candidates[:1]
    name = known or provided or candidates[0]
    return (name, program) if _depends_on(index, program, name) else (name,)


def _depends_on(index: Index, package: str, needed: str) -> bool:
    return any(
        (match := _NAME.match(alternative)) and match[1] == needed
        for entry in index.versions(package)
        for group in entry.depends.split(",")
        for alternative in group.split("|")
    )


def library_fault(attribute: str, index: Index) -> tuple[str, str]:
    """The message and the hint for a library that Debian lacks.

    :param attribute: the attribute path of the library, see `is_library`.
    :param index: the packages of the suite.
    """
    set_name, _, library = attribute.partition(".")
    libraries = _sets()[set_name]
    known: set[str] = set()
    for pattern in libraries.patterns:
        before, _, after = pattern.partition("{}")
        known.update(
            name[len(before) : len(name) - len(after)]
            for name in index.names()
            if name.startswith(before) and name.endswith(after)
        )
    wanted = next(libraries.candidates(library))
    close = difflib.get_close_matches(
        libraries.debian_name(library), sorted(known), n=3, cutoff=0.6
    )
    if set_name == "perlPackages":
        close = [name.replace("-", "::") for name in close]
    return (
        f"{index.suite} has no package {wanted!r} for the library {library!r}",
        f"did you mean {', '.join(close)}?"
        if close
        else "look at packages.debian.org for its name, or bring the library as a Source",
    )


def suggest_library(name: str, index: Index) -> str | None:
    """The hint for a package that does not exist, but that is a library; None if it is not.

    :param name: the name of the package.
    :param index: the packages of the suite.
    """
    for libraries in _sets().values():
        if any(index.versions(candidate) for candidate in libraries.candidates(name)):
            return (
                f'for the library, write Package("{libraries.attribute}", with_packages=["{name}"])'
            )
    return None
