"""The interpreters that can be given libraries: ``Package("python3", with_packages=["flask"])``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import frozen

from nixgen.models.checks import Check, pattern, repeated
from nixgen.models.core import Fault

__all__ = ["LANGUAGES", "Language", "library_faults"]


@frozen(kw_only=True)
class Language:
    """An interpreter and its libraries.

    :param libraries: Attribute of nixpkgs that holds the libraries, such as ``python3Packages``.
    :param name: Check of the name of a library.
    :param key: Returns the same text for all spellings of a library's name.
    """

    libraries: str
    name: Check
    key: Callable[[str], str] = str.lower


def _python_key(name: str) -> str:
    """The normalised name of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


#: Attribute name of the interpreter → its language.
LANGUAGES: Mapping[str, Language] = {
    "python3": Language(
        libraries="python3Packages",
        name=pattern(
            r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
            what="the name of a Python library",
            example="flask",
        ),
        key=_python_key,
    ),
    "perl": Language(
        libraries="perlPackages",
        name=pattern(
            r"[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z0-9_]+)*",
            what="the name of a Perl module",
            example="DBI or LWP::UserAgent",
        ),
        key=str,
    ),
    "ruby": Language(
        libraries="rubyPackages",
        name=pattern(
            r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
            what="the name of a Ruby gem",
            example="nokogiri",
        ),
    ),
    "php": Language(
        libraries="phpExtensions",
        name=pattern(
            r"[A-Za-z][A-Za-z0-9_]*", what="the name of a PHP extension", example="mysqli"
        ),
    ),
    "lua": Language(
        libraries="luaPackages",
        name=pattern(
            r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
            what="the name of a Lua library",
            example="luasocket",
        ),
    ),
    "nodejs": Language(
        libraries="nodePackages",
        name=pattern(
            r"(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*",
            what="the name of a Node package",
            example="express",
        ),
    ),
}


def library_faults(interpreter: str, names: Sequence[str]) -> Iterator[Fault]:
    """Yield the faults of an interpreter's libraries. Each path begins at the list.

    :param interpreter: Attribute name of the interpreter.
    :param names: Names of the libraries.
    """
    language = LANGUAGES.get(interpreter)
    if language is None:
        *first, last = LANGUAGES
        message = f"{interpreter!r} is no interpreter whose libraries nixgen knows"
        yield "", message, f"packages that take libraries are {', '.join(first)} and {last}"
        return
    keys: list[str | None] = []
    for index, name in enumerate(names):
        faults = tuple(language.name(name))
        keys.append(None if faults else language.key(name))
        for suffix, message, hint in faults:
            yield f"[{index}]{suffix}", message, hint
    for again, known, _ in repeated(keys):
        message = f"{names[again]!r} is in the list already, as {names[known]!r}"
        yield f"[{again}]", message, "name each library once"
