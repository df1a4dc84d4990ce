"""The users of a machine and of its services as the NixOS options ``users.*``."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.attributes import present
from nixgen.lowering.scope import Scope
from nixgen.models import Machine, Package, User
from nixgen.syntax import Expr

__all__ = ["users"]


#: The fields of a user that an account is made of, and that need no scope.
_FIELDS = ("name", "system", "uid", "home", "groups", "description", "authorized_keys")
_values = attrgetter(*_FIELDS)


def users(scope: Scope, machine: Machine) -> dict[tuple[str, ...], Expr]:
    """The accounts and groups of a machine, by option path.

    :param scope: Scope of the machine's file.
    :param machine: Machine to lower. Its own users and the users of its services get an account.
    """
    bindings: dict[tuple[str, ...], Expr] = {}
    for user in _all(machine):
        account = _account(_values(user), _shell(scope, user))
        bindings["users", "users", user.name] = nix.Mark(account, user.origin)
        bindings["users", "groups", user.name] = _group(user.gid)
    return bindings


def _all(machine: Machine) -> list[User]:
    by_name = {user.name: user for user in machine.users}
    for service in machine.services:
        if service.user is not None and service.user.name != "root":
            by_name.setdefault(service.user.name, service.user)
    return list(by_name.values())


def _shell(scope: Scope, user: User) -> Expr | None:
    if user.shell is None:
        return None
    is_package = isinstance(user.shell, Package)
    return scope.reference(user.shell) if is_package else nix.Str(str(user.shell))


# The same user often stands on many machines, so an expression and its lines are made once.


@lru_cache(maxsize=1024)
def _account(values: tuple[Any, ...], shell: Expr | None) -> Expr:
    """The account of a user.

    :param values: The values of `_FIELDS`.
    :param shell: The user's shell.
    """
    given = dict(zip(_FIELDS, values, strict=True))
    options: dict[str | tuple[str, ...], Any] = {
        "group": given["name"],
        "isSystemUser" if given["system"] else "isNormalUser": True,
        "uid": given["uid"],
        "home": given["home"],
        "extraGroups": given["groups"] or None,
        "description": given["description"] or None,
        "shell": shell,
        ("openssh", "authorizedKeys", "keys"): given["authorized_keys"] or None,
    }
    return nix.Constant(nix.AttrSet(present(options)))


@lru_cache(maxsize=1024)
def _group(gid: int | None) -> Expr:
    return nix.Constant(nix.AttrSet(present({"gid": gid})))
