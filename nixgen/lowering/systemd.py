"""A `Service` as ``systemd.services.NAME``, in the words a NixOS user would have chosen."""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.hardening import sandbox
from nixgen.lowering.scope import Scope, strings
from nixgen.lowering.unitfile import command_line, environment_value, literal
from nixgen.models import Service
from nixgen.syntax import Expr

__all__ = ["unit"]

_MULTI_USER = strings(["multi-user.target"])
_NETWORK = strings(["network.target"])


def unit(scope: Scope, service: Service, beside: frozenset[int]) -> Expr:
    """The unit of a service on a machine whose services have the ids in ``beside``."""
    local = sorted(
        f"{needed.name}.service" for needed in service.depends_on if id(needed) in beside
    )
    bindings: dict[str, Expr] = {
        "description": nix.Str(service.description or service.name),
        "wantedBy": _MULTI_USER,
        "after": strings(["network.target", *local]) if local else _NETWORK,
        "serviceConfig": nix.AttrSet(_service_config(scope, service)),
    }
    if local:
        bindings["wants"] = strings(local)
    if service.environment:
        bindings["environment"] = nix.AttrSet(
            {name: environment_value(scope, value) for name, value in service.environment.items()}
        )
    if service.packages:
        bindings["path"] = nix.List(tuple(map(scope.package, service.packages)))
    return nix.Mark(nix.AttrSet(bindings), service.origin)


def _service_config(scope: Scope, service: Service) -> dict[str, Expr]:
    config: dict[str, Expr] = {
        "ExecStart": command_line(scope, service.command),
        "Restart": nix.Str(service.restart),
        **sandbox(service),
    }
    if service.setup:
        config["ExecStartPre"] = nix.List(
            tuple(command_line(scope, words) for words in service.setup)
        )
    if service.user is None:
        config["DynamicUser"] = nix.Bool(True)
    else:
        config["User"] = nix.Str(service.user.name)
        config["Group"] = nix.Str(service.user.name)
    for directive, value in (
        ("WorkingDirectory", service.working_directory),
        ("StateDirectory", service.state_directory),
        ("RuntimeDirectory", service.runtime_directory),
    ):
        if value is not None:
            config[directive] = nix.Str(literal(value))
    if service.secrets:
        config["LoadCredential"] = strings(
            f"{secret.name}:{literal(secret.path)}" for secret in service.secrets
        )
    return config
