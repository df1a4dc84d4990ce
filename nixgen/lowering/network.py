"""The `Network` of a machine and the open ports of its services as the NixOS options
``networking.*``.
"""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.attributes import present
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
            bindings["networking", "firewall", option] = nix.List(map(nix.Int, opened))
    return bindings


def _network(network: Network) -> dict[tuple[str, ...], Expr]:
    return {
        **{("interfaces", each.name): _interface(each) for each in network.interfaces},
        **{("hosts", address): strings(names) for address, names in network.hosts.items()},
        **present({(option,): network.gateway(version) for version, _, option in _VERSIONS}),
        **present(
            {
                ("nameservers",): network.nameservers or None,
                ("domain",): network.domain,
                ("search",): network.search or None,
                ("firewall", "enable"): None if network.firewall else False,
            }
        ),
    }


def _interface(interface: Interface) -> Expr:
    addresses = {
        (family, "addresses"): [
            {"address": address, "prefixLength": length}
            for address, length in interface.of_version(version)
        ]
        or None
        for version, family, _ in _VERSIONS
    }
    own = {("useDHCP",): interface.dhcp, ("mtu",): interface.mtu}
    return nix.Mark(nix.AttrSet(present({**addresses, **own})), interface.origin)
