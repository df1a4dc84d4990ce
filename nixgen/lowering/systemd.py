"""A `Service` as the option ``systemd.services.NAME``, in the form that NixOS users write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from nixgen import syntax as nix
from nixgen.lowering.hardening import Sandbox, sandbox
from nixgen.lowering.scope import Scope, strings
from nixgen.lowering.unitfile import command_line, environment_value, literal
from nixgen.models import Service
from nixgen.syntax import Expr

__all__ = ["shared_sandboxes", "unit"]

_MULTI_USER = nix.Constant(strings(["multi-user.target"]))
_TRUE = nix.Bool(True)
_NETWORK = nix.Constant(strings(["network.target"]))


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
    local = [f"{needed.name}.service" for needed in service.depends_on if id(needed) in beside]
    local.sort()
    bindings: dict[str, Expr] = {
        "description": nix.Str(literal(service.description or service.name)),
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
        bindings["path"] = nix.List(map(scope.package, service.packages))
    return nix.Mark(nix.AttrSet(bindings), service.origin)


def _service_config(scope: Scope, service: Service, shared: Mapping[Sandbox, Expr]) -> Expr:
    restrictions = sandbox(service)
    variable = shared.get(restrictions)
    config: dict[str, Expr] = {
        "ExecStart": command_line(scope, service.command),
        "Restart": nix.Str(service.restart),
    }
    if variable is None:
        config.update(restrictions.directives)
    if service.setup:
        config["ExecStartPre"] = nix.List(command_line(scope, words) for words in service.setup)
    if service.user is None:
        config["DynamicUser"] = _TRUE
    else:
        config["User"] = config["Group"] = nix.Str(service.user.name)
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
