"""Networks of machines: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Interface, Machine, Network, Project


def machine(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", **fields)])


def network(**fields: Any) -> Project:
    return machine(network=Network(**fields))


FAULTS = {
    "interface name": (
        network(interfaces=[Interface("eth 0")]),
        "machines.m.network.interfaces[0].name",
    ),
    "address without prefix": (
        network(interfaces=[Interface("eth0", addresses=["10.0.0.1"])]),
        "machines.m.network.interfaces[0].addresses[0]",
    ),
    "address out of range": (
        network(interfaces=[Interface("eth0", addresses=["10.0.0.256/24"])]),
        "machines.m.network.interfaces[0].addresses[0]",
    ),
    "address twice": (
        network(
            interfaces=[
                Interface("eth0", addresses=["fd00::1/64"]),
                Interface("eth1", addresses=["fd00:0::1/64"]),
            ]
        ),
        "machines.m.network.interfaces[1].addresses[0]",
    ),
    "interface twice": (
        network(interfaces=[Interface("eth0"), Interface("eth0")]),
        "machines.m.network.interfaces[1].name",
    ),
    "mtu": (network(interfaces=[Interface("eth0", mtu=9)]), "machines.m.network.interfaces[0].mtu"),
    "two gateways": (network(gateways=["10.0.0.1", "10.0.0.2"]), "machines.m.network.gateways[1]"),
    "gateway": (network(gateways=["router"]), "machines.m.network.gateways[0]"),
    "nameserver": (network(nameservers=["8.8.8"]), "machines.m.network.nameservers[0]"),
    "domain": (network(domain="a..b"), "machines.m.network.domain"),
    "hosts": (network(hosts={"web": ["10.0.0.1"]}), "machines.m.network.hosts['web']"),
    "host name": (network(hosts={"10.0.0.1": ["a b"]}), "machines.m.network.hosts['10.0.0.1'][0]"),
}

# ipaddress takes any text for the zone of an IPv6 address
_ZONE = "fe80::1%x\n0.0.0.0 example.org"
FAULTS |= {
    "zone of a gateway": (network(gateways=[_ZONE]), "machines.m.network.gateways[0]"),
    "zone of a nameserver": (network(nameservers=[_ZONE]), "machines.m.network.nameservers[0]"),
    "zone of a neighbour": (network(hosts={_ZONE: ["a"]}), f"machines.m.network.hosts[{_ZONE!r}]"),
    "zone of an address": (
        network(interfaces=[Interface("eth0", addresses=["fe80::1%x\nroute flush all/64"])]),
        "machines.m.network.interfaces[0].addresses[0]",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)
