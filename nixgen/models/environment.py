"""Environments: the differences between the places that a platform runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nixgen.models.core import Model
from nixgen.models.fields import ListOf, dict_of, field, list_of, model
from nixgen.models.files import textual_value
from nixgen.models.lines import EnvironmentName, EnvironmentValue, PlainText, TargetName
from nixgen.models.machine import Machine
from nixgen.models.nixos import NixModule, as_options, option_values
from nixgen.models.service import Word

__all__ = ["Environment", "Overlay"]


@model
class Overlay(Model):
    """The changes that an environment makes to one machine.

    :param machine: Machine to change. An environment has at most one overlay for each machine.
    :param options: NixOS options by path. They join or replace the machine's own as in
        `Environment`. Where the environment defines the same option, the value here counts, and
        dicts of both are joined.
    :param modules: NixOS modules, written by hand, that are laid over the machine.
    """

    machine: Machine = field(Machine, kw_only=False)
    options: Mapping[str, Any] = field(
        option_values, default={}, convert=as_options, lines=(PlainText,)
    )
    modules: ListOf[NixModule] = list_of(NixModule, default=())


@model
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

    addressed_by_name = True

    name: str = field(TargetName, kw_only=False)
    variables: Mapping[str, Word] = dict_of(
        EnvironmentName, textual_value, default={}, lines=(EnvironmentValue,)
    )
    options: Mapping[str, Any] = field(
        option_values, default={}, convert=as_options, lines=(PlainText,)
    )
    modules: ListOf[NixModule] = list_of(NixModule, default=())
    overlays: ListOf[Overlay] = list_of(Overlay, default=())

    def overlay(self, machine: Machine) -> Overlay | None:
        """The overlay of one machine. None when the environment has no overlay for it.

        :param machine: Machine to look up, by identity.
        """
        return next((each for each in self.overlays if each.machine is machine), None)
