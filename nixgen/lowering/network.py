"""The `Network` of a machine and the open ports of its services as the NixOS options
``networking.*``.
"""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.scope import strings
from nixgen.models import Interface, Machine, Network
from nixgen.syntax import Expr

__all__ = ["networking"]

_VERSIONS = ((4, "ipv4", "defaultGateway"), (6, "ipv6", "defaultGateway6"))


def networking(machine: Machine) -> dict[tuple[str, ...], Expr]:
    """The options for the host name, the firewall and the interfaces.

    :param machine: Machine to lower.
    """
    bindings: dict[tuple[str, ...], Expr] = {
        ("networking", "hostName"): nix.Str(machine.name),
        **_open_ports(machine),
    }
    if machine.network is not None:
        for path, value in _network(machine.network).items():
            bindings["networking", *path] = nix.Mark(value, machine.network.origin)
    return bindings


def _open_ports(machine: Machine) -> dict[tuple[str, ...], Expr]:
    bindings: dict[tuple[str, ...], Expr] = {}
    for protocol in ("tcp", "udp"):
        opened = sorted(
            {
                port.number
                for service in machine.services
                for port in service.ports
                if port.public and port.protocol == protocol
            }
        )
        if opened:
            option = f"allowed{protocol.upper()}Ports"
            bindings["networking", "firewall", option] = nix.List(tuple(map(nix.Int, opened)))
    return bindings


def _network(network: Network) -> dict[tuple[str, ...], Expr]:
    bindings: dict[tuple[str, ...], Expr] = {}
    for interface in network.interfaces:
        bindings["interfaces", interface.name] = _interface(interface)
    for version, _, option in _VERSIONS:
        gateway = network.gateway(version)
        if gateway is not None:
            bindings[option,] = nix.Str(gateway)
    if network.nameservers:
        bindings["nameservers",] = strings(network.nameservers)
    if network.domain is not None:
        bindings["domain",] = nix.Str(network.domain)
    if network.search:
        bindings["search",] = strings(network.search)
    for address, names in network.hosts.items():
        bindings["hosts", address] = strings(names)
    if not network.firewall:
        bindings["firewall", "enable"] = nix.Bool(False)
    return bindings


def _interface(interface: Interface) -> Expr:
    bindings: dict[str | tuple[str, ...], Expr] = {}
    for version, family, _ in _VERSIONS:
        addresses = interface.of_version(version)
        if addresses:
            bindings[family, "addresses"] = nix.List(
                tuple(
                    nix.AttrSet({"address": nix.Str(address), "prefixLength": nix.Int(length)})
                    for address, length in addresses
                )
            )
    if interface.dhcp is not None:
        bindings["useDHCP"] = nix.Bool(interface.dhcp)
    if interface.mtu is not None:
        bindings["mtu"] = nix.Int(interface.mtu)
    return nix.Mark(nix.AttrSet(bindings), interface.origin)
