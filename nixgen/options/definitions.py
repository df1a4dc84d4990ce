"""The options that a project sets, and where in its models."""

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

    :param model_path: of the value, such as ``machines.web.options['services.nginx.enable']``.
    :param path: of the option, without quotes.
    :param where: the user's ``file:line``, where the model begins that it is in.
    :param keys: how it is reached from there, as they are written.
    :param extended: the machine has Nix modules that the list of options does not know, so it may have further options.
    """

    model_path: str
    path: tuple[str, ...]
    value: Any
    where: str | None = None
    keys: tuple[str, ...] = ()
    extended: bool = False


def modules(project: Project) -> tuple[str, ...]:
    """The paths of all Nix modules, sorted."""
    layers: list[_Layer] = [
        *project.machines,
        *project.environments,
        *(overlay for environment in project.environments for overlay in environment.overlays),
    ]
    return tuple(sorted({module.path for layer in layers for module in layer.modules}))


def definitions(
    project: Project, knows: Callable[[NixModule], bool] = lambda _: False
) -> Iterator[Definition]:
    """Every option that machines, environments and overlays set.

    :param knows: whether the options of a module are in the list that the definitions are to be checked against.
    """

    def extended(*layers: _Layer) -> bool:
        return not all(knows(module) for layer in layers for module in layer.modules)

    for machine in project.machines:
        yield from _of(machine, f"machines.{machine.name}", extended=extended(machine))
    for environment in project.environments:
        path = f"environments.{environment.name}"
        anywhere = extended(environment, *project.machines)
        yield from _of(environment, path, extended=anywhere)
        for index, overlay in enumerate(environment.overlays):
            yield from _of(
                overlay,
                f"{path}.overlays[{index}]",
                extended=extended(overlay, environment, overlay.machine),
            )


def _of(layer: _Layer, path: str, *, extended: bool) -> Iterator[Definition]:
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
