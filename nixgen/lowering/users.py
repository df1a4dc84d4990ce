"""The users of a machine and of its services as the NixOS options ``users.*``."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope
from nixgen.lowering.written import Written, accounts, keys
from nixgen.models import Machine, Package, User
from nixgen.models.lines import AccountPath, AccountText, UserName
from nixgen.models.service import AuthorizedKey
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
        name = UserName(user.name)
        bindings["users", "users", name] = nix.Mark(account, user.origin)
        bindings["users", "groups", name] = _group(user.gid)
    return bindings


def _all(machine: Machine) -> list[User]:
    by_name = {user.name: user for user in machine.users}
    for service in machine.services:
        if service.user is not None and service.user.name != "root":
            by_name.setdefault(service.user.name, service.user)
    return list(by_name.values())


def _shell(scope: Scope, user: User) -> Written | None:
    if user.shell is None:
        return None
    if isinstance(user.shell, Package):
        # without a name of its own the program is the one that each base knows for the package
        named = user.shell.main is not None
        return Written(scope.word(user.shell.program) if named else scope.reference(user.shell))
    return accounts(AccountPath(user.shell))


# The same user often stands on many machines, so an expression and its lines are made once.


@lru_cache(maxsize=1024)
def _account(values: tuple[Any, ...], shell: Written | None) -> Expr:
    """The account of a user.

    :param values: The values of `_FIELDS`.
    :param shell: The user's shell.
    """
    given = dict(zip(_FIELDS, values, strict=True))
    options: dict[str | tuple[str, ...], Written] = accounts.present(
        {
            "group": UserName(given["name"]),
            "isSystemUser" if given["system"] else "isNormalUser": True,
            "uid": given["uid"],
            "home": None if given["home"] is None else AccountPath(given["home"]),
            "extraGroups": tuple(map(UserName, given["groups"])),
            "description": AccountText(given["description"]) if given["description"] else None,
        }
    )
    if shell is not None:
        options["shell"] = shell
    if given["authorized_keys"]:
        lines = keys.all(map(AuthorizedKey, given["authorized_keys"]))
        options["openssh", "authorizedKeys", "keys"] = lines
    return nix.Constant(nix.AttrSet(options))


@lru_cache(maxsize=1024)
def _group(gid: int | None) -> Expr:
    return nix.Constant(nix.AttrSet(accounts.present({"gid": gid})))
