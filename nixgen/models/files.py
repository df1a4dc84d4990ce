"""Packages, local sources and configuration files, which have a store path; and secrets, which must
not have one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NoReturn

from nixgen.gitignore import InexpressibleError, Rule, parse_pattern
from nixgen.models.checks import each, every, pattern, string
from nixgen.models.core import Fault, Model
from nixgen.models.fields import Converted, ListOf, Many, as_tuple, field, flag, list_of, model
from nixgen.models.languages import LANGUAGES, library_faults
from nixgen.models.lines import CredentialPath, ExecPiece, KeyFile, PlainText, UnitLine
from nixgen.models.text import Interpolated, Text, textual

__all__ = ["ConfigFile", "Package", "Secret", "Source"]


class AttributeName(
    PlainText,
    check=pattern(
        r"[A-Za-z_][A-Za-z0-9_'-]*",
        what="a package attribute",
        example='nginx; a nested one is Package("flask", nixpkgs="python3Packages.flask")',
    ),
):
    """The name of a package among the attributes of nixpkgs."""

    __slots__ = ()


class AttributePath(
    PlainText,
    check=pattern(
        r"[A-Za-z_][A-Za-z0-9_'-]*(\.[A-Za-z_][A-Za-z0-9_'-]*)*",
        what="an attribute path",
        example="python3Packages.flask",
    ),
):
    """The path of a package among the attributes of nixpkgs."""

    __slots__ = ()


class ProgramName(
    ExecPiece,
    check=pattern(
        r"[A-Za-z0-9_\[][A-Za-z0-9_.+@:-]*",
        what="the name of a program",
        example="redis-server",
        allowed="letters, digits and _ . + @ : -; it is a file in the package's bin/",
    ),
):
    """The name of a program, the file below bin/ of a package."""

    __slots__ = ()


# https://www.debian.org/doc/debian-policy/ch-controlfields.html#source
class DebianName(
    PlainText,
    check=pattern(r"[a-z0-9][a-z0-9+.-]+", what="a Debian package name", example="nginx-light"),
):
    """The name of a package of Debian."""

    __slots__ = ()


class StoreName(
    PlainText,
    check=pattern(
        r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,200}",
        what="a name that a store path can end in",
        allowed="letters, digits and + - . _ ? =, 201 at most; no dot first",
        example="nginx.conf",
    ),
):
    """The name at the end of a store path."""

    __slots__ = ()


@model
class Package(Model, Interpolated):
    """A package by its nixpkgs attribute name, the same on both bases.

    :param name: Attribute name of the package, such as ``nginx``.
    :param main: Name of the main program below bin/. None (the default) means that it is ``name``.
    :param debian: Debian packages that stand for it on the Debian base. Needed only when neither
        the built-in tables nor ``nixpkgs``, as the path of a library, lead to them.
    :param nixpkgs: Attribute path on nixpkgs, such as ``python3Packages.flask``. None (the default)
        means that it is ``name``.
    :param with_packages: Libraries that the interpreter ``name`` finds by itself, such as
        ``["flask", "gunicorn"]`` for ``python3``: by their names in nixpkgs, or for ``perl`` those
        of modules, such as ``LWP::UserAgent``. The programs of the libraries are in bin/ as well.
        Interpreters that take libraries are ``python3``, ``perl``, ``ruby``, ``php``, ``lua``
        and ``nodejs``.
    """

    addressed_by_name = True

    name: str = field(AttributeName, kw_only=False)
    main: str | None = field(ProgramName, default=None)
    debian: ListOf[str] = list_of(DebianName, default=())
    nixpkgs: str | None = field(AttributePath, default=None)
    with_packages: ListOf[str] = list_of(PlainText, default=())

    @property
    def program(self) -> Text:
        """The path of the package's main program."""
        return self / f"bin/{self.main or self.name}"

    @property
    def libraries(self) -> tuple[str, ...]:
        """The attribute paths of the libraries, such as ``python3Packages.flask``."""
        if not self.with_packages:
            return ()
        return tuple(f"{LANGUAGES[self.name].libraries}.{name}" for name in self.with_packages)

    def faults(self) -> Iterator[Fault]:
        if isinstance(self.name, str) and isinstance(self.with_packages, tuple):
            names = [name for name in self.with_packages if isinstance(name, str)]
            if names and len(names) == len(self.with_packages):
                for suffix, message, hint in library_faults(self.name, names):
                    yield f".with_packages{suffix}", message, hint


def _relative(value: str) -> Iterator[Fault]:
    if not value or value.startswith(("/", "~")):
        yield "", f"{value!r} is not a path relative to the project", 'for example "app"'


class RelativePath(PlainText, check=every(string, _relative)):
    """A path of the project, for Nix alone."""

    __slots__ = ()


def _pattern(value: str) -> Iterator[Fault]:
    rule = parse_pattern(value)
    if rule is None:
        hint = (
            "it is read as a line of a .gitignore file: *.log, /build/, docs/**/*.md or !keep.log"
        )
        yield "", f"{value!r} is not a pattern that could match anything", hint
        return
    try:
        _ = rule.posix
    except InexpressibleError as error:
        yield "", f"{value!r} cannot be translated to Nix: {error}", "rewrite the pattern"


class GitignorePattern(PlainText, check=every(string, _pattern)):
    """A line of a .gitignore file, which nixgen reads and never writes."""

    __slots__ = ()


def _some(value: Any) -> Iterator[Fault]:
    if value == ():
        yield "", "is empty, so nothing would be copied", "leave it out to copy everything"


@model
class Source(Model, Interpolated):
    """A file or folder of the project that is copied to the store, without the files that
    .gitignore files ignore. Version control folders and empty folders are never copied.

    :param path: Path relative to the folder of infra.py; ``..`` is allowed.
    :param include: Patterns of the files to copy, as in a .gitignore file in ``path``; everything
        below a matching folder is copied as well. Of several matching patterns the last decides.
        None (the default) copies everything.
    :param exclude: Patterns of further files to leave out, as in a .gitignore file in ``path``.
        They decide last, after ``include`` and the .gitignore files.
    :param gitignore: True (the default) when .gitignore files count.
    :param name: Name at the end of the store path. None (the default) means the last part of
        ``path``.
    """

    path: str = field(RelativePath, kw_only=False)
    include: Converted[tuple[str, ...] | None, Many[str] | None] = field(
        every(each(GitignorePattern.check), _some),
        default=None,
        convert=as_tuple,
        lines=(GitignorePattern,),
    )
    exclude: ListOf[str] = list_of(GitignorePattern, default=())
    gitignore: bool = flag(default=True)
    name: str | None = field(StoreName, default=None)

    @property
    def relative_path(self) -> str:
        """The normalised path from the project's folder; ``.`` for that folder itself."""
        return posixpath.normpath(self.path)

    @property
    def include_rules(self) -> tuple[Rule, ...]:
        """The parsed patterns of ``include``."""
        return _rules(self.include or ())

    @property
    def exclude_rules(self) -> tuple[Rule, ...]:
        """The parsed patterns of ``exclude``."""
        return _rules(self.exclude)

    @property
    def store_name(self) -> str:
        """The name at the end of the store path."""
        return self.name or PurePosixPath(self.path).name or "source"

    def faults(self) -> Iterator[Fault]:
        if self.name is None and isinstance(self.path, str):
            for _, message, hint in StoreName.check(self.store_name):
                yield ".path", message, f"{hint}; or give name=…"


def _rules(patterns: tuple[str, ...]) -> tuple[Rule, ...]:
    """Parse patterns that have been checked already."""
    return tuple(rule for rule in map(parse_pattern, patterns) if rule is not None)


# systemd.exec(5): a file name, at most as long as one
class CredentialName(
    UnitLine,
    check=pattern(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}",
        what="a credential name",
        example="db-password",
        allowed="letters, digits, _, - and dots, 255 at most; no dash or dot first",
    ),
):
    """The name of ``LoadCredential=NAME:PATH``."""

    __slots__ = ()


@model
class Secret(Model):
    """A value that only the running service may see. It is a file on the machine, never a store
    path.

    :param name: Name of the credential. The service reads it as ``$CREDENTIALS_DIRECTORY/name``.
    :param file: Absolute path on the machine from which systemd loads the credential. None (the
        default) means ``/run/secrets/name``.
    """

    addressed_by_name = True

    name: str = field(CredentialName, kw_only=False, lines=(CredentialName, CredentialPath))
    file: str | None = field(CredentialPath, default=None, lines=(CredentialPath, KeyFile))

    @property
    def path(self) -> str:
        """The absolute path on the machine from which systemd loads the credential."""
        return self.file or f"/run/secrets/{self.name}"

    def __str__(self) -> NoReturn:
        raise TypeError(
            f"the secret {self.name!r} cannot be put into text; give it to a service as secrets=[…]"
        )

    def __format__(self, spec: str) -> str:
        return str(self)


textual_value = textual(Secret)
"""Check of a value that may mention store paths, and no secret."""


@model
class ConfigFile(Model, Interpolated):
    """A text file in the store, made of data and references.

    :param name: Name at the end of the store path, such as ``nginx.conf``.
    :param content: Content of the file. A `str` is taken literally; a `text` may refer to packages,
        sources and other files. Secrets are refused, because the store is readable by everybody.
    :param executable: True for a script that can be run. False is the default.
    """

    name: str = field(StoreName, kw_only=False)
    content: str | Text = field(textual_value, kw_only=False, lines=(PlainText,))
    executable: bool = flag(default=False)


#: The models that have a store path. There are no others.
StoreReference = Package | Source | ConfigFile
