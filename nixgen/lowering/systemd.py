"""A `Service` as ``systemd.services.NAME``, in the words a NixOS user would have chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.hardening import sandbox
from nixgen.lowering.scope import Scope, strings
from nixgen.models import Service
from nixgen.syntax import Expr

__all__ = ["command_line", "environment_value", "unit"]


def command_line(scope: Scope, words: Iterable[Any]) -> Expr:
    """The words as one ``ExecStart=`` value that systemd splits into the same words again (systemd.service(5))."""
    pieces: list[str | Expr] = []
    for index, word in enumerate(words):
        if index:
            pieces.append(" ")
        pieces.extend(_quoted(scope.parts(word)))
    return _string(pieces)


def _quoted(parts: tuple[str | Expr, ...]) -> Iterable[str | Expr]:
    # a store path itself never needs quotes
    quotes = not any(parts) or any(
        isinstance(part, str) and _NEEDS_QUOTES.search(part) for part in parts
    )
    if quotes:
        yield '"'
    for part in parts:
        yield _escaped(part) if isinstance(part, str) else part
    if quotes:
        yield '"'


_NEEDS_QUOTES = re.compile(r"""[\0-\x20"'\\;]""")
_SPECIAL = re.compile(r"""[\0-\x1f"\\%$]""")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%", "$": "$$"}


def _escaped(literal: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", literal)


def _string(pieces: Iterable[str | Expr]) -> Expr:
    text: list[str] = []
    kept: list[str | Expr] = []
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
        else:
            kept += ("".join(text), piece)
            text = []
    rest = "".join(text)
    return nix.Interpolation((*kept, rest)) if kept else nix.Str(rest)


def environment_value(scope: Scope, value: Any) -> Expr:
    """One value of ``systemd.services.NAME.environment``; ``%`` would be a specifier there (systemd.unit(5))."""
    return _string(
        part.replace("%", "%%") if isinstance(part, str) else part for part in scope.parts(value)
    )


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
            config[directive] = nix.Str(value)
    if service.secrets:
        config["LoadCredential"] = strings(
            f"{secret.name}:{secret.path}" for secret in service.secrets
        )
    return config
