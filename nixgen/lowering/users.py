"""Users of a machine, and those that its services run as, as ``users.*``."""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope, strings
from nixgen.models import Machine, Package, User
from nixgen.syntax import Expr

__all__ = ["users"]


def users(scope: Scope, machine: Machine) -> dict[tuple[str, ...], Expr]:
    bindings: dict[tuple[str, ...], Expr] = {}
    for user in _all(machine):
        bindings["users", "users", user.name] = nix.Mark(_user(scope, user), user.origin)
        group = {} if user.gid is None else {"gid": nix.Int(user.gid)}
        bindings["users", "groups", user.name] = nix.AttrSet(group)
    return bindings


def _all(machine: Machine) -> list[User]:
    found = {user.name: user for user in machine.users}
    for service in machine.services:
        if service.user is not None and service.user.name != "root":
            found.setdefault(service.user.name, service.user)
    return list(found.values())


def _user(scope: Scope, user: User) -> Expr:
    bindings: dict[str | tuple[str, ...], Expr] = {
        "group": nix.Str(user.name),
        "isSystemUser" if user.system else "isNormalUser": nix.Bool(True),
    }
    if user.uid is not None:
        bindings["uid"] = nix.Int(user.uid)
    if user.home is not None:
        bindings["home"] = nix.Str(user.home)
    if user.groups:
        bindings["extraGroups"] = strings(user.groups)
    if user.description:
        bindings["description"] = nix.Str(user.description)
    if user.shell is not None:
        is_package = isinstance(user.shell, Package)
        bindings["shell"] = scope.reference(user.shell) if is_package else nix.Str(str(user.shell))
    if user.authorized_keys:
        bindings["openssh", "authorizedKeys", "keys"] = strings(user.authorized_keys)
    return nix.AttrSet(bindings)
