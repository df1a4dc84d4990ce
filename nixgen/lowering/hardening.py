"""The sandbox of a service (`Hardening`) as directives of systemd.exec(5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import attrs

from nixgen import syntax as nix
from nixgen.lowering.written import Written, units
from nixgen.models import Hardening, Service
from nixgen.models.hardening import AddressFamily, Capability, SystemCall
from nixgen.models.lines import PathWord, UnitLine
from nixgen.syntax import Expr

__all__ = ["Sandbox", "sandbox"]

_PROTECT_SYSTEM: Mapping[str, UnitLine | int] = {
    "strict": UnitLine.constant("strict"),
    "full": UnitLine.constant("full"),
    "system": True,
}
_ON = units(True)
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

    directives: Mapping[str, Written]
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
    config: dict[str, Written] = {
        directive: _ON
        for field, directives in _CLOSED_BY_DEFAULT.items()
        if not given[field]
        for directive in directives
    }
    calls = tuple(map(SystemCall, given["system_calls"]))
    config |= units.present(
        {
            "ProtectSystem": _PROTECT_SYSTEM.get(given["filesystem"]),
            "ReadWritePaths": tuple(map(PathWord, given["writable"])),
            "RestrictAddressFamilies": tuple(map(AddressFamily, given["address_families"])),
            # a refused call returns an error, as on a kernel without the call; by default systemd kills
            "SystemCallErrorNumber": UnitLine.constant("EPERM") if calls else None,
            "SystemCallArchitectures": UnitLine.constant("native") if calls else None,
            "SystemCallFilter": calls,
        }
    )
    config.update(
        _capabilities(given["capabilities"], gains=given["new_privileges"], root=root, binds=binds)
    )
    return Sandbox(MappingProxyType(config), nix.Constant(nix.AttrSet(config)))


def _capabilities(
    given: tuple[str, ...], *, gains: bool, root: bool, binds: bool
) -> dict[str, Written]:
    own = tuple(map(Capability, given))
    if root:
        return units.present({"CapabilityBoundingSet": own})
    held = tuple(sorted({*own, *([Capability("CAP_NET_BIND_SERVICE")] if binds else [])}))
    config = units.present({"AmbientCapabilities": held})
    if held or not gains:
        # an empty list would say nothing to systemd; an empty text takes everything away
        config["CapabilityBoundingSet"] = units.all(held) if held else units(UnitLine.constant(""))
    return config
