"""Groups of commands whose modules are imported when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["lazy_group"]


def lazy_group(package: str, names: Iterable[str]) -> type[TyperGroup]:
    """The class of a group of commands.

    :param package: the package of the commands. Its module ``package.NAME`` defines the command
        NAME as a typer application ``app``.
    :param names: the commands, in the order of the help.
    """
    known = tuple(names)

    class Lazy(TyperGroup):
        def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002 - click's signature
            return list(known)

        def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002 - click's signature
            if cmd_name not in known:
                return None
            module = importlib.import_module(f"{package}.{cmd_name}")
            command = typer.main.get_command(module.app)
            command.name = cmd_name
            return command

    return Lazy
