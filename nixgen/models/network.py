"""The network of a machine: its interfaces, addresses, routes and names."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nixgen.models.checks import (
    Check,
    boolean,
    each,
    every,
    mapping,
    pattern,
    repeated,
    string,
    whole_number,
)
from nixgen.models.core import Fault, Model
from nixgen.models.fields import (
    Converted,
    ListOf,
    Many,
    as_dict,
    as_tuple,
    field,
    flag,
    list_of,
    model,
)
from nixgen.models.lines import NetworkLine

__all__ = ["Interface", "Network"]


# RFC 1123, 2.1: labels with dots between, at most 253 characters
class DomainName(
    NetworkLine,
    check=pattern(
        r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*",
        what="a domain name",
        example="shop.example.org",
    ),
):
    """The name of a host or a domain."""

    __slots__ = ()


# IFNAMSIZ of include/uapi/linux/if.h, without its final NUL; dots make VLANs
class InterfaceName(
    NetworkLine,
    check=pattern(
        r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}", what="a network interface", example="eth0 or enp1s0"
    ),
):
    """The name of a network interface."""

    __slots__ = ()


_NO_ZONE = "leave out the % and what follows it"


def _parsed(parse: Callable[[str], object], what: str, example: str) -> Check:
    def run(value: Any) -> Iterator[Fault]:
        try:
            parse(value)
        except ValueError as error:
            # other messages only say once more that it is none
            reason = ": it has host bits set" if "has host bits" in str(error) else ""
            yield "", f"{value!r} is not {what}{reason}", f"for example {example}"
            return
        # ipaddress takes any text behind a %, line ends included, for the zone of an IPv6 address
        if "%" in value:
            yield "", f"{value!r} names a zone, which files of addresses cannot hold", _NO_ZONE

    return every(string, run)


def _with_prefix(value: str) -> object:
    if "/" not in value:
        raise ValueError(value)
    return ipaddress.ip_interface(value)


class IpAddress(
    NetworkLine, check=_parsed(ipaddress.ip_address, "an IP address", "10.0.0.1 or fd00::1")
):
    """An IP address, of either version."""

    __slots__ = ()


class NetworkRange(NetworkLine, check=_parsed(ipaddress.ip_network, "a network", "10.0.0.0/16")):
    """A network in CIDR notation, without host bits."""

    __slots__ = ()


class InterfaceAddress(
    NetworkLine, check=_parsed(_with_prefix, "an address on a network", "10.0.0.5/24 or fd00::5/64")
):
    """An IP address with the prefix length of its network."""

    __slots__ = ()


def _as_hosts(value: Mapping[str, Many[str]]) -> dict[str, tuple[str, ...]]:
    hosts = as_dict(value)
    # a wrong value is left for the checks to name
    return (
        {key: as_tuple(names) for key, names in hosts.items()} if isinstance(hosts, dict) else hosts
    )


@model
class Interface(Model):
    """A network interface of a machine.

    :param name: Name of the interface, such as ``eth0``.
    :param addresses: Static addresses, each with the prefix length of its network: ``10.0.0.5/24``,
        ``fd00::5/64``.
    :param dhcp: True when the interface asks for an address by DHCP, False when it does not. None
        (the default) leaves the choice to the platform.
    :param mtu: Largest size of its packets, in bytes. None (the default) leaves the choice to the
        platform.
    """

    name: str = field(InterfaceName, kw_only=False)
    addresses: ListOf[str] = list_of(InterfaceAddress, default=())
    dhcp: bool | None = field(boolean, default=None)
    mtu: int | None = field(whole_number(576, 65535), default=None)

    def of_version(self, version: int) -> tuple[tuple[str, int], ...]:
        """The addresses of one IP version, each with its prefix length.

        :param version: IP version, 4 or 6.
        """
        found = map(ipaddress.ip_interface, self.addresses)
        return tuple(
            (str(each.ip), each.network.prefixlen) for each in found if each.version == version
        )


@model
class Network(Model):
    """The network settings of a machine. The host name is the name of the machine.

    :param interfaces: Network interfaces, each described once.
    :param gateways: Addresses of the default gateways, at most one for each IP version.
    :param nameservers: Addresses of the DNS servers, in the order in which they are asked.
    :param domain: Domain of the machine's name, such as ``example.org``. None (the default) sets
        none.
    :param search: Domains in which short names are looked up.
    :param hosts: Host names that the machine resolves without DNS: each IP address with its list of
        names.
    :param firewall: True (the default) when packets to ports that no service opens are dropped.
    """

    interfaces: ListOf[Interface] = list_of(Interface, default=())
    gateways: ListOf[str] = list_of(IpAddress, default=())
    nameservers: ListOf[str] = list_of(IpAddress, default=())
    domain: str | None = field(DomainName, default=None)
    search: ListOf[str] = list_of(DomainName, default=())
    hosts: Converted[Mapping[str, tuple[str, ...]], Mapping[str, Many[str]]] = field(
        mapping(IpAddress.check, each(DomainName.check)),
        default={},
        convert=_as_hosts,
        lines=(IpAddress, DomainName),
    )
    firewall: bool = flag(default=True)

    def gateway(self, version: int) -> str | None:
        """The gateway of one IP version. None when there is none.

        :param version: IP version, 4 or 6.
        """
        return next(
            (each for each in self.gateways if ipaddress.ip_address(each).version == version), None
        )

    def faults(self) -> Iterator[Fault]:
        versions = [ipaddress.ip_address(gateway).version for gateway in self.gateways]
        for index, first, version in repeated(versions):
            yield (
                f".gateways[{index}]",
                f"is a second one for IPv{version}, beside gateways[{first}]",
                "keep one; other routes are options of networking.interfaces",
            )
        for index, first, name in repeated(interface.name for interface in self.interfaces):
            yield (
                f".interfaces[{index}].name",
                f"{name!r} is also the name of interfaces[{first}]",
                "describe each interface once, with all its addresses",
            )
        places = [
            (index, position, str(ipaddress.ip_interface(text).ip))
            for index, interface in enumerate(self.interfaces)
            for position, text in enumerate(interface.addresses)
            if not any(InterfaceAddress.check(text))
        ]
        for again, first, own in repeated(own for _, _, own in places):
            index, position, _ = places[again]
            message = f"{own} is also an address of interfaces[{places[first][0]}]"
            yield f".interfaces[{index}].addresses[{position}]", message, None
