"""Packages as expressions: ``pkgs.nginx``, and interpreters with their libraries."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from nixgen import syntax as nix

if TYPE_CHECKING:
    from nixgen.models import Package
    from nixgen.syntax import Expr

__all__ = ["attribute", "with_libraries"]


@lru_cache(maxsize=8192)
def attribute(name: str) -> Expr:
    """The attribute of a package: ``pkgs.nginx``.

    :param name: Name of the package.
    """
    return nix.Constant(nix.Select(nix.Var("pkgs"), (name,)))


def with_libraries(package: Package) -> Expr:
    """An interpreter with its libraries: ``pkgs.python3.withPackages (ps: [ ps.flask ])``.

    :param package: Package with libraries.
    """
    interpreter = nix.Var("pkgs")
    if package.name == "php":
        # the set of nixpkgs has all extensions, those that PHP has anyway in a list beside it
        extensions = nix.List(_library("all", name) for name in package.with_packages)
        body = nix.BinaryOp("++", nix.Var("enabled"), extensions)
        function: Expr = nix.Function(("all", "enabled"), body, ellipsis=True)
        return nix.Call(nix.Select(interpreter, (package.name, "withExtensions")), (function,))
    libraries = nix.List(_library("ps", name) for name in package.with_packages)
    function = nix.Lambda("ps", libraries)
    return nix.Call(nix.Select(interpreter, (package.name, "withPackages")), (function,))


def _library(variable: str, name: str) -> Expr:
    """A library of a set. The names of Perl modules have no colons in nixpkgs."""
    return nix.Select(nix.Var(variable), (name.replace("::", ""),))
