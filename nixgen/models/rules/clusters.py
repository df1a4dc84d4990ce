"""Rules between the members of clusters, and between machines on EC2."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from nixgen.errors import Problem, closest
from nixgen.models.cluster import Cluster, Member, members
from nixgen.models.core import at
from nixgen.models.machine import Machine
from nixgen.models.project import Project

__all__ = ["RULES"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_APART = "choose networks that have no address in common"


def _members(project: Project) -> Iterator[Problem]:
    first: dict[Machine, tuple[Cluster, str]] = {}
    for cluster in project.clusters:
        for place, machine in cluster.places().items():
            path, where = f"clusters.{cluster.name}.{place}", at(cluster)
            other, its_place = first.setdefault(machine, (cluster, place))
            if other is not cluster:
                yield Problem(
                    path,
                    f"the machine {machine.name!r} is already in the cluster {other.name!r} at {at(other)}",
                    where=where,
                    hint="take it out of one of them: a machine belongs to one cluster",
                )
            elif its_place != place:
                yield Problem(
                    path,
                    f"the machine {machine.name!r} is already {its_place} of this cluster",
                    where=where,
                    hint="take it out of workers",
                )


def _ids(project: Project) -> Iterator[Problem]:
    owners: dict[tuple[str, int], Member] = {}
    for member in members(project.clusters):
        owner = owners.setdefault((member.role, member.id), member)
        if owner.machine is not member.machine:
            yield Problem(
                f"clusters.{member.cluster.name}.ids[{member.machine.name!r}]",
                f"{member.id} is also the id of the {member.role} {owner.machine.name!r}",
                where=at(member.cluster),
                hint="give each master, and each worker, a number of its own",
            )
    for cluster in project.clusters:
        names = dict.fromkeys(each.name for each in cluster.machines)
        for name in cluster.ids:
            if name not in names:
                yield Problem(
                    f"clusters.{cluster.name}.ids[{name!r}]",
                    f"the cluster has no member {name!r}",
                    where=at(cluster),
                    hint=closest(name, names) or f"its members are {', '.join(names)}",
                )


def _addresses(project: Project) -> Iterator[Problem]:
    owners: dict[object, Machine] = {}
    for machine in project.machines:
        if machine.ec2 is None:
            continue
        subnet = machine.ec2.subnet
        if subnet.zone is not None and not subnet.zone.startswith(machine.ec2.region):
            yield _problem(
                machine,
                "ec2.subnet",
                f"{subnet.id} is in {subnet.zone}, which is not in the region {machine.ec2.region}",
            )
        if machine.ec2.address is None:
            continue
        address = ipaddress.ip_address(machine.ec2.address)
        if subnet.cidr is not None and address not in ipaddress.ip_network(subnet.cidr):
            yield _problem(
                machine, "ec2.address", f"{address} is not in the subnet {subnet.id}, {subnet.cidr}"
            )
        owner = owners.setdefault(address, machine)
        if owner is not machine:
            yield _problem(
                machine, "ec2.address", f"{address} is also the address of {owner.name!r}"
            )


def _networks(project: Project) -> Iterator[Problem]:
    """Yield a problem for each two networks that overlap: packets to an address need one route."""
    clusters = {cluster.master: cluster for cluster in project.clusters}
    seen: list[tuple[_Network, str]] = []
    subnets: dict[str, str | None] = {}
    for machine in project.machines:
        if machine.ec2 is not None:
            subnet = machine.ec2.subnet
            if subnet.id not in subnets:
                subnets[subnet.id] = subnet.cidr
                if subnet.cidr is not None:
                    for message in _overlaps(subnet.cidr, f"the subnet {subnet.id}", seen):
                        yield _problem(machine, "ec2.subnet", message, _APART)
            elif subnets[subnet.id] != subnet.cidr:
                yield _problem(
                    machine,
                    "ec2.subnet",
                    f"{subnet.id} is {subnet.cidr} here, and {subnets[subnet.id]} elsewhere",
                    "use one Subnet object for both",
                )
        cluster = clusters.get(machine)
        if cluster is not None and cluster.pod_network is not None:
            name = f"the pod network of {cluster.name!r}"
            for message in _overlaps(cluster.pod_network, name, seen):
                path = f"clusters.{cluster.name}.pod_network"
                yield Problem(path, message, where=at(cluster), hint=_APART)


def _overlaps(cidr: str, name: str, seen: list[tuple[_Network, str]]) -> Iterator[str]:
    """Yield a message for each known network that a further network overlaps, and add it to them.

    :param name: Name of the further network, for messages.
    :param seen: Known networks with their names.
    """
    network = ipaddress.ip_network(cidr)
    for other, its_name in seen:
        if network.version == other.version and network.overlaps(other):
            yield f"{network} overlaps {other}, {its_name}"
    seen.append((network, name))


def _problem(machine: Machine, field: str, message: str, hint: str | None = None) -> Problem:
    return Problem(f"machines.{machine.name}.{field}", message, where=at(machine), hint=hint)


RULES = (_members, _ids, _addresses, _networks)
