"""A `Service` as the option ``systemd.services.NAME``, in the form that NixOS users write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import get_args

from nixgen import syntax as nix
from nixgen.lowering.hardening import Sandbox, sandbox
from nixgen.lowering.scope import Scope
from nixgen.lowering.unitfile import command_line, environment_value
from nixgen.lowering.written import Written, units
from nixgen.models import Secret, Service
from nixgen.models.files import CredentialName
from nixgen.models.lines import (
    CredentialPath,
    EnvironmentName,
    UnitDirectory,
    UnitLine,
    UnitName,
    UnitPath,
    UnitText,
    UserName,
)
from nixgen.models.service import Restart
from nixgen.syntax import Expr

__all__ = ["shared_sandboxes", "unit"]

_NETWORK_TARGET = UnitLine.constant("network.target")
_SERVICE_SUFFIX = UnitLine.constant(".service")
_MULTI_USER = Written(nix.Constant(units.all([UnitLine.constant("multi-user.target")])))
_NETWORK = Written(nix.Constant(units.all([_NETWORK_TARGET])))
_TRUE = units(True)
_RESTART = {each: units(UnitLine.constant(each)) for each in get_args(Restart)}


def shared_sandboxes(scope: Scope, services: Iterable[Service]) -> Mapping[Sandbox, Expr]:
    """Bind each sandbox that several services share to a variable, as a person would.

    :param scope: Scope of the file.
    :param services: Services of one machine.
    :return: The variable of each shared sandbox.
    """
    count = Counter(map(sandbox, services))
    return {
        each: scope.share("sandbox", each.expression)
        for each, services_with_it in count.items()
        if services_with_it > 1
    }


def unit(
    scope: Scope, service: Service, beside: frozenset[int], shared: Mapping[Sandbox, Expr]
) -> Expr:
    """The unit of a service.

    :param scope: Scope of the file.
    :param service: Service to lower.
    :param beside: Ids of the services of the same machine.
    :param shared: Variables of shared sandboxes, see `shared_sandboxes`.
    """
    local = [
        UnitLine.joined("", UnitName(needed.name), _SERVICE_SUFFIX)
        for needed in service.depends_on
        if id(needed) in beside
    ]
    local.sort()
    bindings: dict[str, Written] = {
        "description": units(UnitText(service.description or service.name)),
        "wantedBy": _MULTI_USER,
        "after": units.all([_NETWORK_TARGET, *local]) if local else _NETWORK,
        "serviceConfig": _service_config(scope, service, shared),
    }
    if local:
        bindings["wants"] = units.all(local)
    if service.environment:
        variables = {
            EnvironmentName(name): environment_value(scope, value)
            for name, value in service.environment.items()
        }
        bindings["environment"] = Written(nix.AttrSet(variables))
    if service.packages:
        bindings["path"] = Written(nix.List(map(scope.package, service.packages)))
    return nix.Mark(nix.AttrSet(bindings), service.origin)


def _service_config(scope: Scope, service: Service, shared: Mapping[Sandbox, Expr]) -> Written:
    restrictions = sandbox(service)
    variable = shared.get(restrictions)
    config: dict[str, Written] = {
        "ExecStart": command_line(scope, service.command),
        "Restart": _RESTART[service.restart],
    }
    if variable is None:
        config.update(restrictions.directives)
    if service.setup:
        commands = nix.List(command_line(scope, words) for words in service.setup)
        config["ExecStartPre"] = Written(commands)
    if service.user is None:
        config["DynamicUser"] = _TRUE
    else:
        config["User"] = config["Group"] = _user(service.user.name)
    if service.working_directory is not None:
        config["WorkingDirectory"] = units(UnitPath(service.working_directory))
    if service.state_directory is not None:
        config["StateDirectory"] = units(UnitDirectory(service.state_directory))
    if service.runtime_directory is not None:
        config["RuntimeDirectory"] = units(UnitDirectory(service.runtime_directory))
    if service.secrets:
        config["LoadCredential"] = units.all(map(_credential, service.secrets))
    own = nix.AttrSet(config)
    return Written(nix.BinaryOp("//", variable, own) if variable else own)


@lru_cache(maxsize=1024)
def _user(name: str) -> Written:
    return units(UserName(name))


def _credential(secret: Secret) -> UnitLine:
    return UnitLine.joined(":", CredentialName(secret.name), CredentialPath(secret.path))
