"""A `Service` as ``systemd.services.NAME``, in the words a NixOS user would have chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from nixgen import syntax as nix
from nixgen.lowering.hardening import sandbox
from nixgen.lowering.scope import Scope, strings
from nixgen.lowering.unitfile import command_line, environment_value, literal
from nixgen.models import Service
from nixgen.syntax import Expr

__all__ = ["shared_sandboxes", "unit"]

_MULTI_USER = strings(["multi-user.target"])
_NETWORK = strings(["network.target"])


def shared_sandboxes(scope: Scope, services: Iterable[Service]) -> Mapping[int, Expr]:
    """Bind each sandbox that several services share to a variable, as a person would.

    :return: the variable of each shared sandbox, by the id of what `sandbox` gives.
    """
    found = [sandbox(service) for service in services]
    count = Counter(map(id, found))
    return {
        id(each): scope.share("sandbox", nix.AttrSet(each))
        for each in {id(each): each for each in found}.values()
        if count[id(each)] > 1
    }


def unit(
    scope: Scope, service: Service, beside: frozenset[int], shared: Mapping[int, Expr]
) -> Expr:
    """The unit of a service.

    :param beside: the ids of the services of the same machine.
    :param shared: see `shared_sandboxes`.
    """
    local = sorted(
        f"{needed.name}.service" for needed in service.depends_on if id(needed) in beside
    )
    bindings: dict[str, Expr] = {
        "description": nix.Str(service.description or service.name),
        "wantedBy": _MULTI_USER,
        "after": strings(["network.target", *local]) if local else _NETWORK,
        "serviceConfig": _service_config(scope, service, shared),
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


def _service_config(scope: Scope, service: Service, shared: Mapping[int, Expr]) -> Expr:
    kept_from = sandbox(service)
    variable = shared.get(id(kept_from))
    config: dict[str, Expr] = {
        "ExecStart": command_line(scope, service.command),
        "Restart": nix.Str(service.restart),
        **({} if variable else kept_from),
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
    own = nix.AttrSet(config)
    return nix.BinaryOp("//", variable, own) if variable else own
