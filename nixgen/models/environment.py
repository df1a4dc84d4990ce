"""Environments: what differs between the places that a platform runs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from nixgen.models.core import (
    TARGET_NAME,
    Many,
    Model,
    as_tuple,
    checked,
    mapping,
    model,
    models,
)
from nixgen.models.files import textual_value
from nixgen.models.machine import Machine, module_list
from nixgen.models.nixos import NixModule, as_modules, as_options, option_values
from nixgen.models.service import ENVIRONMENT_NAME, Word, as_word_dict

__all__ = ["Environment", "Overlay", "as_environments"]


@attrs.frozen(eq=False)
class Overlay(Model):
    """What an environment changes on one machine; see `Environment`."""

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
    """A place the platform runs in, such as staging: what is different there.

    :param variables: values that replace those of every service which declares the variable.
    :param options: of NixOS, on every machine. A value replaces the machine's own; lists and dicts are joined to its, unless they are
        wrapped in `mk_force`.
    :param modules: of NixOS, laid over every machine.
    :param overlays: the same for single machines.
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
        """What it changes on this machine alone."""
        return next((each for each in self.overlays if each.machine is machine), None)


def as_environments(value: Many[Environment]) -> tuple[Environment, ...]:
    return as_tuple(value)
