"""A `Service` as ``systemd.services.NAME``, in the words a NixOS user would have chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.scope import Scope, strings
from nixgen.models import Service
from nixgen.syntax import Expr

__all__ = ["command_line", "environment_value", "unit"]

_NEEDS_QUOTES = frozenset(" \t\n\r\"'\\;")
#: Ports below this need a capability when the service is not root; /proc/sys/net/ipv4/ip_unprivileged_port_start
_PRIVILEGED_BELOW = 1024


def command_line(scope: Scope, words: Iterable[Any]) -> Expr:
    """The words as one ``ExecStart=`` value that systemd splits into the same words again (systemd.service(5))."""
    pieces: list[str | Expr] = []
    for index, word in enumerate(words):
        if index:
            pieces.append(" ")
        pieces.extend(_quoted(scope.parts(word)))
    return _string(pieces)


def _quoted(parts: tuple[str | Expr, ...]) -> Iterable[str | Expr]:
    literal = "".join(part for part in parts if isinstance(part, str))
    # a store path itself never needs quotes
    quote = '"' if _needs_quotes(literal, parts) else ""
    yield quote
    for part in parts:
        yield _escaped(part) if isinstance(part, str) else part
    yield quote


def _needs_quotes(literal: str, parts: tuple[str | Expr, ...]) -> bool:
    return (literal == "" and all(isinstance(part, str) for part in parts)) or any(
        character in _NEEDS_QUOTES or character < " " for character in literal
    )


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%", "$": "$$"}


def _escaped(literal: str) -> str:
    return "".join(
        _ESCAPES.get(character) or (f"\\x{ord(character):02x}" if character < " " else character)
        for character in literal
    )


def _string(pieces: Iterable[str | Expr]) -> Expr:
    kept = tuple(piece for piece in pieces if piece != "")
    if all(isinstance(piece, str) for piece in kept):
        return nix.Str("".join(piece for piece in kept if isinstance(piece, str)))
    return nix.Interpolation(kept)


def environment_value(scope: Scope, value: Any) -> Expr:
    """One value of ``systemd.services.NAME.environment``; ``%`` would be a specifier there (systemd.unit(5))."""
    return _string(
        part.replace("%", "%%") if isinstance(part, str) else part for part in scope.parts(value)
    )


def unit(scope: Scope, service: Service, beside: frozenset[int]) -> Expr:
    """The unit of a service on a machine whose services have the ids in ``beside``."""
    local = sorted(
        f"{needed.name}.service" for needed in service.depends_on if id(needed) in beside
    )
    bindings: dict[str, Expr] = {
        "description": nix.Str(service.description or service.name),
        "wantedBy": strings(["multi-user.target"]),
        "after": strings(["network.target", *local]),
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
        # what any service can live with; a service gets no more rights than it was given
        "NoNewPrivileges": nix.Bool(True),
        "PrivateTmp": nix.Bool(True),
        "ProtectHome": nix.Bool(True),
        "ProtectSystem": nix.Str("strict"),
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
    if _binds_privileged_port(service):
        config["AmbientCapabilities"] = strings(["CAP_NET_BIND_SERVICE"])
        config["CapabilityBoundingSet"] = strings(["CAP_NET_BIND_SERVICE"])
    for directive, value in (
        ("WorkingDirectory", service.working_directory),
        ("StateDirectory", service.state_directory),
        ("RuntimeDirectory", service.runtime_directory),
    ):
        if value is not None:
            config[directive] = nix.Str(value)
    if service.secrets:
        config["LoadCredential"] = strings(
            f"{secret.name}:{secret.path}" for secret in service.secrets
        )
    return config


def _binds_privileged_port(service: Service) -> bool:
    is_root = service.user is not None and (service.user.uid == 0 or service.user.name == "root")
    return not is_root and any(port.number < _PRIVILEGED_BELOW for port in service.ports)
