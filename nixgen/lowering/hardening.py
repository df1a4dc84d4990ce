"""A `Hardening` as directives of systemd.exec(5)."""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.scope import strings
from nixgen.lowering.unitfile import word
from nixgen.models import Service
from nixgen.syntax import Expr

__all__ = ["sandbox"]

_PROTECT_SYSTEM = {"strict": nix.Str("strict"), "full": nix.Str("full"), "system": nix.Bool(True)}
_ON = nix.Bool(True)
#: field of `Hardening` that opens them → directives that are on while it is False
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


def sandbox(service: Service) -> dict[str, Expr]:
    """What a service is kept from, as keys of ``serviceConfig``."""
    hardening = service.hardening
    config: dict[str, Expr] = {
        directive: _ON
        for field, directives in _CLOSED_BY_DEFAULT.items()
        if not getattr(hardening, field)
        for directive in directives
    }
    if hardening.filesystem in _PROTECT_SYSTEM:
        config["ProtectSystem"] = _PROTECT_SYSTEM[hardening.filesystem]
    if hardening.writable:
        config["ReadWritePaths"] = strings(map(word, hardening.writable))
    if hardening.address_families:
        config["RestrictAddressFamilies"] = strings(hardening.address_families)
    if hardening.system_calls:
        # a call that is not allowed fails, as on a kernel that does not have it; systemd would kill instead
        config["SystemCallErrorNumber"] = nix.Str("EPERM")
        config["SystemCallArchitectures"] = nix.Str("native")
        config["SystemCallFilter"] = strings(hardening.system_calls)
    return config | _capabilities(service)


def _capabilities(service: Service) -> dict[str, Expr]:
    given = service.hardening.capabilities
    if service.runs_as_root:
        return {"CapabilityBoundingSet": strings(given)} if given else {}
    binds = any(port.privileged for port in service.ports)
    held = sorted({*given, *(["CAP_NET_BIND_SERVICE"] if binds else [])})
    config: dict[str, Expr] = {"AmbientCapabilities": strings(held)} if held else {}
    if held or not service.hardening.new_privileges:
        # an empty list would say nothing to systemd; an empty text takes everything away
        config["CapabilityBoundingSet"] = strings(held) if held else nix.Str("")
    return config
