"""The references in one generated file: the Nix expression of each, and the ``let`` that binds
them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nixgen import syntax as nix
from nixgen.lowering.libraries import attribute, with_libraries
from nixgen.lowering.sources import IGNORED, rules
from nixgen.models import ConfigFile, NixModule, Package, Source, Text
from nixgen.syntax.text import is_identifier

if TYPE_CHECKING:
    from nixgen.syntax import Expr

__all__ = ["Scope", "attribute", "imported", "string", "strings"]

_TAKEN = frozenset(
    {
        "builtins",
        "config",
        "kubenix",
        "lib",
        "name",
        "nixgen",
        "nodes",
        "pkgs",
        "true",
        "false",
        "null",
    }
)


def strings(values: Iterable[str]) -> Expr:
    """A Nix list of strings.

    :param values: The strings, in order.
    """
    return nix.List(map(nix.Str, values))


def imported(path: str) -> Expr:
    """The content of a Nix file: ``import ./lib/project.nix``.

    :param path: Path of the file, from the generated file.
    """
    return nix.Call(nix.Var("import"), (nix.Path(path),))


def string(parts: Iterable[str | Expr]) -> Expr:
    """A Nix string, without antiquotations if all parts are texts.

    :param parts: Texts and expressions, in order.
    """
    whole = nix.Interpolation(parts)
    match whole.parts:
        case ():
            return nix.Str("")
        case (str(text),):
            return nix.Str(text)
    return whole


@lru_cache(maxsize=1024)
def _variable_name(name: str) -> str:
    """A name in the style of Nix variables: ``nginx.conf`` becomes ``nginxConf``."""
    first, *rest = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word] or ["file"]
    stem = first[:1].lower() + first[1:] + "".join(word[:1].upper() + word[1:] for word in rest)
    if not is_identifier(stem) or stem == "import":
        stem = f"file{stem[:1].upper()}{stem[1:]}"
    return stem


class Scope:
    """The files, sources and packages that one generated file mentions, collected in order of use.

    :param depth: Folders between ``generated/`` and the file: 1 for ``machines/web.nix``.
    """

    def __init__(self, depth: int = 1) -> None:
        self._generated = "/".join([".."] * depth)
        self._arguments = {"pkgs"}
        self._bound: dict[int, Expr] = {}
        # kept alive: an id names an object only while the object exists
        self._referred: list[Any] = []
        self._names: set[str] = set(_TAKEN)
        self._bindings: dict[str, Expr] = {}
        # by name and libraries: several interpreters of one name may differ in their libraries
        self._packages: dict[tuple[str, tuple[str, ...]], Package] = {}
        self._interpreters: dict[tuple[str, tuple[str, ...]], Expr] = {}

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages mentioned so far, ordered by name. An interpreter with libraries is before the
        plain one, whose programs have the same names.
        """
        keys = sorted(self._packages, key=lambda key: (key[0], not key[1], key[1]))
        return tuple(self._packages[key] for key in keys)

    def wrap(self, body: Expr) -> Expr:
        """Put the ``let`` around an expression, if anything is bound.

        :param body: Expression that uses the variables.
        """
        return nix.Let(self._bindings, body) if self._bindings else body

    def module(self, body: Expr) -> Expr:
        """Make a NixOS module: a function of ``pkgs``, and of ``config`` and ``lib`` when they are
        used, with the ``let`` around its body.

        :param body: Definitions of the module.
        """
        return nix.Function(tuple(sorted(self._arguments)), self.wrap(body), ellipsis=True)

    def lib(self, name: str) -> Expr:
        """A function of nixpkgs' library, in a module: ``lib.mkForce``.

        :param name: Name of the function.
        """
        self._arguments.add("lib")
        return nix.Select(nix.Var("lib"), (name,))

    def config(self, *path: str) -> Expr:
        """The value of an option, in a module: ``config.nixgen.prelude``.

        :param path: Path of the option.
        """
        self._arguments.add("config")
        return nix.Select(nix.Var("config"), path)

    def project_path(self, path: str) -> Expr:
        """The path from the generated file to a file of the project.

        :param path: Path relative to the project's root.
        """
        return nix.Path(posixpath.normpath(f"{self._generated}/../{path}"))

    def imports(self, modules: Iterable[NixModule]) -> list[Expr]:
        """The paths of hand-written modules.

        :param modules: Modules that the user gave.
        """
        return [nix.Mark(self.project_path(module.path), module.origin) for module in modules]

    def library_path(self, path: str) -> Expr:
        """The path from the generated file to a file of the Nix library.

        :param path: Path relative to ``generated/lib``.
        """
        return nix.Path(f"{self._generated}/lib/{path}")

    def share(self, name: str, expression: Expr) -> Expr:
        """Bind an expression that is used more than once to a new variable.

        :param name: Name that the variable is named after.
        :param expression: Expression to bind.
        :return: The variable.
        """
        fresh = self._fresh(name)
        self._bindings[fresh] = expression
        return nix.Var(fresh)

    def package(self, package: Package) -> Expr:
        """The expression of a package, which counts as mentioned. An interpreter with libraries is
        bound to a variable.

        :param package: Package to refer to.
        """
        key = package.name, package.with_packages
        self._packages.setdefault(key, package)
        if not package.with_packages:
            return attribute(package.name)
        known = self._interpreters.get(key)
        if known is None:
            expression = nix.Mark(with_libraries(package), package.origin)
            known = self._interpreters[key] = self.share(package.name, expression)
        return known

    def word(self, value: Any) -> Expr:
        """Convert a str, a `Text` or a reference to a Nix string.

        :param value: Value to convert.
        """
        return nix.Str(value) if isinstance(value, str) else nix.Interpolation(self.parts(value))

    def parts(self, value: Any) -> tuple[str | Expr, ...]:
        """Convert a str, a `Text` or a reference to the parts of a Nix string.

        :param value: Value to convert.
        """
        if isinstance(value, str):
            return (value,)
        if isinstance(value, Text):
            return tuple(
                [part if isinstance(part, str) else self.reference(part) for part in value.parts]
            )
        return (self.reference(value),)

    def reference(self, value: Any) -> Expr:
        """The expression of a package, source or file. A file or source is bound to a variable.

        :param value: `Package`, `Source` or `ConfigFile`.
        """
        if isinstance(value, Package):
            return self.package(value)
        known = self._bound.get(id(value))
        if known is None:
            # whatever the value itself mentions is bound first
            expression = self._file(value) if isinstance(value, ConfigFile) else self._source(value)
            name = self._fresh(value.name if isinstance(value, ConfigFile) else value.store_name)
            self._referred.append(value)
            self._bindings[name] = nix.Mark(expression, value.origin)
            known = self._bound[id(value)] = nix.Var(name)
        return known

    def _file(self, file: ConfigFile) -> Expr:
        content = self.word(file.content)
        if not file.executable:
            return nix.Call(attribute("writeText"), (nix.Str(file.name), content))
        arguments = {"name": nix.Str(file.name), "text": content, "executable": nix.Bool(True)}
        return nix.Call(attribute("writeTextFile"), (nix.AttrSet(arguments),))

    def _source(self, source: Source) -> Expr:
        arguments: dict[str, Expr] = {
            "name": nix.Str(source.store_name),
            "path": self.project_path(source.relative_path),
        }
        if source.gitignore:
            table = imported(f"{self._generated}/{IGNORED}")
            arguments["ignored"] = nix.Select(table, (source.relative_path,))
        if source.include is not None:
            arguments["include"] = rules(source.include_rules)
        if source.exclude:
            arguments["exclude"] = rules(source.exclude_rules)
        function = imported(f"{self._generated}/lib/lib/source.nix")
        return nix.Call(function, (nix.AttrSet(arguments),))

    def _fresh(self, name: str) -> str:
        fresh = stem = _variable_name(name)
        number = 1
        while fresh in self._names:
            number += 1
            fresh = f"{stem}{number}"
        self._names.add(fresh)
        return fresh
