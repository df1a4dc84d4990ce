"""Collect the options that a project sets, with their places in its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from nixgen.models import Environment, Machine, Model, NixModule, Overlay, Project, option_path

__all__ = ["Definition", "definitions", "modules"]

_Layer = Machine | Environment | Overlay


@attrs.frozen(kw_only=True)
class Definition:
    """One option that the project sets.

    :param model_path: The model path of the value, such as
        ``machines.web.options['services.nginx.enable']``.
    :param path: The names in the path of the option, without quotes.
    :param value: The value that the project gives.
    :param where: The user's ``file:line`` at which the model with the option begins.
    :param keys: The keys that lead from the model to the value, as written.
    :param extended: The machine has Nix modules that are missing from the list of options, so it
        may have further options.
    """

    model_path: str
    path: tuple[str, ...]
    value: Any
    where: str | None = None
    keys: tuple[str, ...] = ()
    extended: bool = False


def modules(project: Project) -> tuple[str, ...]:
    """The paths of all Nix modules of a project, sorted.

    :param project: The project.
    """
    layers = (layer for layer, _, _ in _layers(project))
    return tuple(sorted({module.path for layer in layers for module in layer.modules}))


def definitions(
    project: Project, knows: Callable[[NixModule], bool] = lambda _: False
) -> Iterator[Definition]:
    """Every option that machines, environments and overlays set.

    :param project: The project.
    :param knows: Whether the list of options has the options that a module declares.
    """
    for layer, path, declaring in _layers(project):
        extended = not all(knows(module) for each in declaring for module in each.modules)
        for key, value in layer.options.items():
            origin = value.origin if isinstance(value, Model) and value.origin else layer.origin
            yield Definition(
                model_path=f"{path}.options[{key!r}]",
                path=option_path(key) or (),
                value=value,
                where=str(origin) if origin else None,
                keys=(key,),
                extended=extended,
            )


def _layers(project: Project) -> Iterator[tuple[_Layer, str, tuple[_Layer, ...]]]:
    """Yield each layer, its model path, and the layers whose modules may declare its options."""
    for machine in project.machines:
        yield machine, f"machines.{machine.name}", (machine,)
    for environment in project.environments:
        path = f"environments.{environment.name}"
        yield environment, path, (environment, *project.machines)
        for index, overlay in enumerate(environment.overlays):
            yield overlay, f"{path}.overlays[{index}]", (overlay, environment, overlay.machine)
