"""The `Network` of a machine and the open ports of its services as the NixOS options
``networking.*``.
"""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.written import Written, network
from nixgen.models import Interface, Machine, Network
from nixgen.models.lines import NetworkLine
from nixgen.models.machine import HostName
from nixgen.models.network import DomainName, InterfaceName, IpAddress
from nixgen.syntax import Expr

__all__ = ["networking"]

_VERSIONS = ((4, "ipv4", "defaultGateway"), (6, "ipv6", "defaultGateway6"))


def networking(machine: Machine) -> dict[tuple[str, ...], Expr]:
    """The options for the host name, the firewall and the interfaces.

    :param machine: Machine to lower.
    """
    bindings: dict[tuple[str, ...], Expr] = {
        ("networking", "hostName"): network(HostName(machine.name)),
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
            bindings["networking", "firewall", option] = nix.List(map(nix.Int, opened))
    return bindings


def _network(settings: Network) -> dict[tuple[str, ...], Expr]:
    gateways: dict[tuple[str, ...], NetworkLine] = {
        (option,): IpAddress(gateway)
        for version, _, option in _VERSIONS
        if (gateway := settings.gateway(version)) is not None
    }
    return {
        **{
            ("interfaces", InterfaceName(each.name)): _interface(each)
            for each in settings.interfaces
        },
        **{
            ("hosts", IpAddress(address)): network.all(map(DomainName, names))
            for address, names in settings.hosts.items()
        },
        **network.present(gateways),
        **network.present(
            {
                ("nameservers",): tuple(map(IpAddress, settings.nameservers)),
                ("domain",): None if settings.domain is None else DomainName(settings.domain),
                ("search",): tuple(map(DomainName, settings.search)),
                ("firewall", "enable"): None if settings.firewall else False,
            }
        ),
    }


def _interface(interface: Interface) -> Expr:
    options: dict[tuple[str, ...], Written] = {}
    for version, family, _ in _VERSIONS:
        addresses = [
            nix.AttrSet(network.present({"address": IpAddress(address), "prefixLength": length}))
            for address, length in interface.of_version(version)
        ]
        if addresses:
            options[family, "addresses"] = Written(nix.List(addresses))
    own: dict[tuple[str, ...], int | None] = {("useDHCP",): interface.dhcp, ("mtu",): interface.mtu}
    return nix.Mark(nix.AttrSet({**options, **network.present(own)}), interface.origin)
