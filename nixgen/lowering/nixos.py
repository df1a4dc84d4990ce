"""A `Machine` as a NixOS module, and an `Environment` as modules laid over machines."""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering import systemd
from nixgen.lowering.scope import Scope
from nixgen.models import Environment, Machine, User
from nixgen.syntax import Expr

__all__ = ["STATE_VERSION", "changes", "machine_module", "overlay_module"]

#: https://nixos.org/manual/nixos/stable/options#opt-system.stateVersion: the release whose defaults for state
#: a machine keeps. nixgen's own services declare their state, so one value serves all.
STATE_VERSION = "25.11"


def machine_module(machine: Machine) -> Expr:
    scope = Scope()
    beside = frozenset(map(id, machine.services))
    bindings: dict[str | tuple[str, ...], Expr] = {
        ("networking", "hostName"): nix.Str(machine.name),
        ("system", "stateVersion"): nix.Str(STATE_VERSION),
    }
    for protocol in ("tcp", "udp"):
        opened = sorted(
            {
                port.number
                for service in machine.services
                for port in service.ports
                if port.public and port.protocol == protocol
            }
        )
        if opened:
            option = f"allowed{protocol.upper()}Ports"
            bindings["networking", "firewall", option] = nix.List(tuple(map(nix.Int, opened)))
    for service in machine.services:
        bindings["systemd", "services", service.name] = systemd.unit(scope, service, beside)
    for user in _users(machine):
        bindings["users", "users", user.name] = nix.Mark(_user(user), user.origin)
        group = {} if user.gid is None else {"gid": nix.Int(user.gid)}
        bindings["users", "groups", user.name] = nix.AttrSet(group)
    for path, file in machine.files.items():
        bindings["environment", "etc", path] = nix.AttrSet({"source": scope.reference(file)})
    if machine.packages:
        packages = nix.List(tuple(map(scope.package, machine.packages)))
        bindings["environment", "systemPackages"] = packages
    return nix.Function(("pkgs",), scope.wrap(nix.AttrSet(bindings)), ellipsis=True)


def _users(machine: Machine) -> list[User]:
    users = {user.name: user for user in machine.users}
    for service in machine.services:
        if service.user is not None and service.user.name != "root":
            users.setdefault(service.user.name, service.user)
    return list(users.values())


def _user(user: User) -> Expr:
    bindings: dict[str, Expr] = {
        "group": nix.Str(user.name),
        "isSystemUser" if user.system else "isNormalUser": nix.Bool(True),
    }
    if user.uid is not None:
        bindings["uid"] = nix.Int(user.uid)
    if user.home is not None:
        bindings["home"] = nix.Str(user.home)
    if user.groups:
        bindings["extraGroups"] = nix.List(tuple(map(nix.Str, user.groups)))
    if user.description:
        bindings["description"] = nix.Str(user.description)
    return nix.AttrSet(bindings)


def changes(environment: Environment, machine: Machine) -> bool:
    """Whether a machine is another one in this environment."""
    return any(
        name in service.environment
        for service in machine.services
        for name in environment.variables
    )


def overlay_module(machine: Machine, environment: Environment) -> Expr:
    """What the environment lays over a machine that it `changes`."""
    scope = Scope()
    force = nix.Select(nix.Var("lib"), ("mkForce",))
    bindings: dict[tuple[str, ...], Expr] = {}
    for service in machine.services:
        for name, value in environment.variables.items():
            if name in service.environment:
                forced = nix.Call(force, (systemd.environment_value(scope, value),))
                bindings["systemd", "services", service.name, "environment", name] = forced
    body = nix.Mark(nix.AttrSet(bindings), environment.origin)
    return nix.Function(("lib", "pkgs"), scope.wrap(body), ellipsis=True)
