"""Rules between the members of clusters; the same rules hold for models and for descriptors."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

import attrs

from nixgen.errors import Problem
from nixgen.models.core import at
from nixgen.models.machine import Machine
from nixgen.models.project import Project

__all__ = ["RULES", "Conflict", "conflicts"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@attrs.frozen
class Conflict:
    """A contradiction between machines, reported at one of them.

    :param machine: Machine to report it at.
    :param field: Field of the machine, with dots: ``cluster.pod_network``.
    :param message: Description of the contradiction.
    :param hint: Advice to the user. None (the default) gives none.
    """

    machine: Machine
    field: str
    message: str
    hint: str | None = None


def conflicts(machines: Iterable[Machine]) -> Iterator[Conflict]:
    """Yield every contradiction between the machines, in their order.

    :param machines: Machines, each sound in itself.
    """
    machines = tuple(machines)
    yield from _ids(machines)
    yield from _masters(machines)
    yield from _addresses(machines)
    yield from _networks(machines)


def _ids(machines: tuple[Machine, ...]) -> Iterator[Conflict]:
    owners: dict[tuple[str, int], Machine] = {}
    for machine in machines:
        if machine.cluster is None:
            continue
        key = (machine.cluster.role, machine.cluster.id)
        owner = owners.setdefault(key, machine)
        if owner is not machine:
            yield Conflict(
                machine,
                "cluster.id",
                f"{machine.cluster.id} is also the id of the {machine.cluster.role} {owner.name!r}",
                "give each master, and each worker, a number of its own",
            )


def _masters(machines: tuple[Machine, ...]) -> Iterator[Conflict]:
    known = set(map(id, machines))
    for machine in machines:
        master = machine.cluster.master if machine.cluster else None
        if master is None:
            continue
        if id(master) not in known:
            yield Conflict(
                machine,
                "cluster.master",
                f"{master.name!r} is not one of the machines",
                "add it to Project(machines=[…])",
            )
        elif master.cluster is None or master.cluster.role != "master":
            yield Conflict(machine, "cluster.master", f"{master.name!r} is no master")


def _addresses(machines: tuple[Machine, ...]) -> Iterator[Conflict]:
    owners: dict[object, Machine] = {}
    for machine in machines:
        if machine.ec2 is None:
            continue
        subnet = machine.ec2.subnet
        if subnet.zone is not None and not subnet.zone.startswith(machine.ec2.region):
            yield Conflict(
                machine,
                "ec2.subnet",
                f"{subnet.id} is in {subnet.zone}, which is not in the region {machine.ec2.region}",
            )
        if machine.ec2.address is None:
            continue
        address = ipaddress.ip_address(machine.ec2.address)
        if subnet.cidr is not None and address not in ipaddress.ip_network(subnet.cidr):
            yield Conflict(
                machine, "ec2.address", f"{address} is not in the subnet {subnet.id}, {subnet.cidr}"
            )
        owner = owners.setdefault(address, machine)
        if owner is not machine:
            yield Conflict(
                machine, "ec2.address", f"{address} is also the address of {owner.name!r}"
            )


def _networks(machines: tuple[Machine, ...]) -> Iterator[Conflict]:
    """Yield a conflict for each two networks that overlap. Packets to an address must have one way
    to go.
    """
    seen: list[tuple[_Network, str]] = []
    subnets: dict[str, str | None] = {}
    for machine in machines:
        if machine.ec2 is not None:
            subnet = machine.ec2.subnet
            if subnet.id not in subnets:
                subnets[subnet.id] = subnet.cidr
                if subnet.cidr is not None:
                    yield from _overlaps(
                        machine, "ec2.subnet", subnet.cidr, f"the subnet {subnet.id}", seen
                    )
            elif subnets[subnet.id] != subnet.cidr:
                yield Conflict(
                    machine,
                    "ec2.subnet",
                    f"{subnet.id} is {subnet.cidr} here, and {subnets[subnet.id]} elsewhere",
                    "use one Subnet object for both",
                )
        pods = machine.cluster.pod_network if machine.cluster else None
        if pods is not None:
            yield from _overlaps(
                machine, "cluster.pod_network", pods, f"the pod network of {machine.name!r}", seen
            )


def _overlaps(
    machine: Machine, field: str, cidr: str, what: str, seen: list[tuple[_Network, str]]
) -> Iterator[Conflict]:
    network = ipaddress.ip_network(cidr)
    for other, whose in seen:
        if network.version == other.version and network.overlaps(other):
            yield Conflict(
                machine,
                field,
                f"{network} overlaps {other}, {whose}",
                "choose networks that have no address in common",
            )
    seen.append((network, what))


def _clusters_agree(project: Project) -> Iterator[Problem]:
    for found in conflicts(project.machines):
        yield Problem(
            f"machines.{found.machine.name}.{found.field}",
            found.message,
            where=at(found.machine),
            hint=found.hint,
        )


RULES = (_clusters_agree,)
