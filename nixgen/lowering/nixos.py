"""A `Machine` as a NixOS module, and the module that an `Environment` lays over it."""

from __future__ import annotations

from collections.abc import Iterable

from nixgen import syntax as nix
from nixgen.lowering.cluster import facts
from nixgen.lowering.disk import disks
from nixgen.lowering.network import networking
from nixgen.lowering.options import definitions, forced, module_body
from nixgen.lowering.scope import Scope
from nixgen.lowering.systemd import shared_sandboxes, unit
from nixgen.lowering.unitfile import environment_value
from nixgen.lowering.users import users
from nixgen.models import Environment, Machine, Member, options_at
from nixgen.models.lines import EnvironmentName, UnitName
from nixgen.models.machine import EtcPath
from nixgen.syntax import Expr

__all__ = ["STATE_VERSION", "changes", "machine_module", "overlay_module"]

#: The release whose defaults for state a machine keeps. nixgen's services declare their state, so
#: one value serves all. https://nixos.org/manual/nixos/stable/options#opt-system.stateVersion
STATE_VERSION = "25.11"


def machine_module(machine: Machine, member: Member | None = None) -> Expr:
    """The NixOS module of a machine.

    :param machine: Machine to describe.
    :param member: Place of the machine in its cluster. None (the default) when it belongs to no
        cluster.
    """
    scope = Scope()
    belongs = facts(machine, member)
    own: dict[tuple[str, ...], Expr] = {
        **networking(machine),
        **disks(machine),
        **_services(scope, machine),
        **users(scope, machine),
        **_files(scope, machine),
        **belongs,
        ("system", "stateVersion"): nix.Str(STATE_VERSION),
    }
    given = definitions(scope, options_at(machine.options))
    imports = scope.imports(machine.modules)
    if belongs:
        imports.insert(0, scope.library_path("nixos/cluster.nix"))
    return scope.module(nix.Mark(module_body(own, given, imports), machine.origin))


def _services(scope: Scope, machine: Machine) -> dict[tuple[str, ...], Expr]:
    beside = frozenset(map(id, machine.services))
    shared = shared_sandboxes(scope, machine.services)
    return {
        ("systemd", "services", UnitName(service.name)): unit(scope, service, beside, shared)
        for service in machine.services
    }


def _files(scope: Scope, machine: Machine) -> dict[tuple[str, ...], Expr]:
    bindings: dict[tuple[str, ...], Expr] = {
        ("environment", "etc", EtcPath(path)): nix.AttrSet({"source": scope.reference(file)})
        for path, file in machine.files.items()
    }
    if machine.packages:
        packages = nix.List(map(scope.package, machine.packages))
        bindings["environment", "systemPackages"] = packages
    return bindings


def changes(environment: Environment, machine: Machine) -> bool:
    """Decide if an environment changes a machine.

    :param environment: Environment with options, modules and variables.
    :param machine: Machine that they may apply to.
    """
    return bool(
        environment.options
        or environment.modules
        or environment.overlay(machine)
        or any(_replaced(environment, machine))
    )


def _replaced(environment: Environment, machine: Machine) -> Iterable[tuple[str, str]]:
    """The name of the service and of the variable, for each value that the environment replaces."""
    return (
        (service.name, name)
        for service in machine.services
        for name in environment.variables
        if name in service.environment
    )


def overlay_module(machine: Machine, environment: Environment) -> Expr:
    """The NixOS module that an environment lays over a machine that it `changes`.

    :param machine: Machine below the module.
    :param environment: Environment with the new values.
    """
    scope = Scope(depth=2)
    force = scope.lib("mkForce")
    own: dict[tuple[str, ...], Expr] = {
        ("systemd", "services", UnitName(service), "environment", EnvironmentName(name)): nix.Call(
            force, (environment_value(scope, environment.variables[name]),)
        )
        for service, name in _replaced(environment, machine)
    }
    overlay = environment.overlay(machine)
    layers = (environment, overlay) if overlay else (environment,)
    given = forced(scope, (option for layer in layers for option in options_at(layer.options)))
    imports = scope.imports(module for layer in layers for module in layer.modules)
    body = module_body(own, given, imports)
    return scope.module(nix.Mark(body, environment.origin))
