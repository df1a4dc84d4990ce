"""Environments: the differences between the places that a platform runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from nixgen.models.checks import TARGET_NAME, Many, as_tuple, checked, mapping, model, models
from nixgen.models.core import Model
from nixgen.models.files import textual_value
from nixgen.models.machine import Machine, module_list
from nixgen.models.nixos import NixModule, as_modules, as_options, option_values
from nixgen.models.service import ENVIRONMENT_NAME, Word, as_word_dict

__all__ = ["Environment", "Overlay", "as_environments"]


@attrs.frozen(eq=False)
class Overlay(Model):
    """The changes that an environment makes to one machine.

    :param machine: Machine to change. An environment has at most one overlay for each machine.
    :param options: NixOS options by path. They join or replace the machine's own as in
        `Environment`. For an option that the environment defines by the same path, the value here
        counts.
    :param modules: NixOS modules, written by hand, that are laid over the machine.
    """

    machine: Machine = attrs.field(metadata=model(Machine))
    options: Mapping[str, Any] = attrs.field(
        factory=dict, kw_only=True, converter=as_options, metadata=checked(option_values)
    )
    modules: tuple[NixModule, ...] = attrs.field(
        default=(), kw_only=True, converter=as_modules, metadata=checked(module_list)
    )


def as_overlays(value: Many[Overlay]) -> tuple[Overlay, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Environment(Model):
    """A place that the platform runs in, such as staging, and its differences from the project.

    :param name: Name of the environment on the command line.
    :param variables: Values of environment variables. Each replaces the value in every service that
        declares the variable; a variable that no service declares is an error.
    :param options: NixOS options by path, for every machine. A value replaces the machine's own.
        Lists and dicts are joined to the machine's own instead, unless `mk_force` wraps them.
    :param modules: NixOS modules, written by hand, that are laid over every machine.
    :param overlays: Changes to single machines, at most one overlay for each machine.
    """

    addressed_by_name: ClassVar[bool] = True

    name: str = attrs.field(metadata=checked(TARGET_NAME))
    variables: Mapping[str, Word] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_word_dict,
        metadata=checked(mapping(ENVIRONMENT_NAME, textual_value)),
    )
    options: Mapping[str, Any] = attrs.field(
        factory=dict, kw_only=True, converter=as_options, metadata=checked(option_values)
    )
    modules: tuple[NixModule, ...] = attrs.field(
        default=(), kw_only=True, converter=as_modules, metadata=checked(module_list)
    )
    overlays: tuple[Overlay, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_overlays,
        metadata=models(Overlay),
    )

    def overlay(self, machine: Machine) -> Overlay | None:
        """The overlay of one machine. None when the environment has no overlay for it.

        :param machine: Machine to look up, by identity.
        """
        return next((each for each in self.overlays if each.machine is machine), None)


def as_environments(value: Many[Environment]) -> tuple[Environment, ...]:
    return as_tuple(value)
