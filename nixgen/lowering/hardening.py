"""The sandbox of a service (`Hardening`) as directives of systemd.exec(5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import attrs

from nixgen import syntax as nix
from nixgen.lowering.attributes import present
from nixgen.lowering.scope import strings
from nixgen.lowering.unitfile import word
from nixgen.models import Hardening, Service
from nixgen.syntax import Expr

__all__ = ["Sandbox", "sandbox"]

_PROTECT_SYSTEM = {"strict": "strict", "full": "full", "system": True}
_ON = nix.Bool(True)
#: Field of `Hardening` → directives that are on while the field is False.
_CLOSED_BY_DEFAULT = {
    "home": ("ProtectHome",),
    "devices": ("PrivateDevices",),
    "shared_tmp": ("PrivateTmp",),
    "new_privileges": ("NoNewPrivileges", "RestrictSUIDSGID"),
    "kernel": (
        "LockPersonality",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
    ),
    "namespaces": ("RestrictNamespaces",),
    "realtime": ("RestrictRealtime",),
    "write_execute": ("MemoryDenyWriteExecute",),
}


_FIELDS = tuple(field.name for field in attrs.fields(Hardening) if field.name != "origin")
_values = attrgetter(*_FIELDS)


@attrs.frozen(eq=False)
class Sandbox:
    """The restrictions of a service.

    :param directives: Keys of ``serviceConfig`` and their values.
    :param expression: The directives as an attribute set.
    """

    directives: Mapping[str, Expr]
    expression: Expr


def sandbox(service: Service) -> Sandbox:
    """The sandbox of a service. Services with equal restrictions get the same object.

    :param service: Service to restrict.
    """
    binds = any(port.privileged for port in service.ports)
    return _sandbox(_values(service.hardening), root=service.runs_as_root, binds=binds)


@lru_cache(maxsize=256)
def _sandbox(values: tuple[Any, ...], *, root: bool, binds: bool) -> Sandbox:
    """The sandbox for the values of `_FIELDS`.

    :param values: Values of a `Hardening`.
    :param root: True when the service runs as root.
    :param binds: True when the service listens on a port that Linux reserves for root.
    """
    given = dict(zip(_FIELDS, values, strict=True))
    config: dict[str, Expr] = {
        directive: _ON
        for field, directives in _CLOSED_BY_DEFAULT.items()
        if not given[field]
        for directive in directives
    }
    calls = given["system_calls"] or None
    config |= present(
        {
            "ProtectSystem": _PROTECT_SYSTEM.get(given["filesystem"]),
            "ReadWritePaths": [*map(word, given["writable"])] or None,
            "RestrictAddressFamilies": given["address_families"] or None,
            # a refused call returns an error, as on a kernel without the call; by default systemd kills
            "SystemCallErrorNumber": calls and "EPERM",
            "SystemCallArchitectures": calls and "native",
            "SystemCallFilter": calls,
        }
    )
    config.update(
        _capabilities(given["capabilities"], gains=given["new_privileges"], root=root, binds=binds)
    )
    return Sandbox(MappingProxyType(config), nix.Constant(nix.AttrSet(config)))


def _capabilities(
    given: tuple[str, ...], *, gains: bool, root: bool, binds: bool
) -> dict[str, Expr]:
    if root:
        return {"CapabilityBoundingSet": strings(given)} if given else {}
    held = sorted({*given, *(["CAP_NET_BIND_SERVICE"] if binds else [])})
    config: dict[str, Expr] = {"AmbientCapabilities": strings(held)} if held else {}
    if held or not gains:
        # an empty list would say nothing to systemd; an empty text takes everything away
        config["CapabilityBoundingSet"] = strings(held) if held else nix.Str("")
    return config
