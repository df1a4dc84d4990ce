"""The public attrs classes below a package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import attrs


def public_records(package: str) -> list[type]:
    """Every public attrs class that a module below ``package`` defines.

    :param package: such as ``nixgen.vm``.
    """
    top = importlib.import_module(package)
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(top.__path__, f"{package}.")
    ]
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and attrs.has(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
