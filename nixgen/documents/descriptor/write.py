"""From `Machine` to machine.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nixgen.errors import UsageError
from nixgen.models import ClusterMember, Ec2, Machine
from nixgen.records.document import document

__all__ = ["descriptor"]


def descriptor(machines: Iterable[Machine]) -> dict[str, Any]:
    """The document nixgen/machine/1 of those machines that are members of a cluster on EC2.

    :param machines: of a sound project.
    :raises UsageError: there are none, one is a member but not on EC2, or they are in several regions.
    """
    members = [
        (machine, machine.cluster, _on_ec2(machine))
        for machine in machines
        if machine.cluster is not None
    ]
    if not members:
        raise UsageError(
            "no machine of the project is a member of a cluster",
            hint="give machines cluster=ClusterMember(…) and ec2=Ec2(…)",
        )
    regions = sorted({ec2.region for _, _, ec2 in members})
    if len(regions) > 1:
        raise UsageError(
            f"the machines are in {len(regions)} regions: {', '.join(regions)}",
            hint="a descriptor is of one region",
        )
    subnets = {ec2.subnet.id: ec2.subnet for _, _, ec2 in members}
    groups = {group.id: group for _, _, ec2 in members for group in ec2.security_groups}
    return document(
        "nixgen/machine/1",
        region=regions[0],
        subnets=[subnet.document() for subnet in subnets.values()],
        securityGroups=[group.document() for group in groups.values()],
        masters=[_machine(*member) for member in members if member[1].role == "master"],
        workers=[_machine(*member) for member in members if member[1].role == "worker"],
        membership={
            machine.name: [each.name for each, its, _ in members if its.master is machine]
            for machine, cluster, _ in members
            if cluster.role == "master"
        },
    )


def _on_ec2(machine: Machine) -> Ec2:
    if machine.ec2 is None:
        raise UsageError(
            f"the machine {machine.name!r} is a member of a cluster, and not on EC2",
            where=str(machine.origin) if machine.origin else None,
            hint="give it ec2=Ec2(…)",
        )
    return machine.ec2


def _machine(machine: Machine, cluster: ClusterMember, ec2: Ec2) -> dict[str, Any]:
    document = {
        "id": cluster.id,
        "name": machine.name,
        "system": machine.system,
        **ec2.document(),
        "subnet": ec2.subnet.id,
        "securityGroups": [group.id for group in ec2.security_groups],
    }
    del document["region"]
    if cluster.pod_network is not None:
        document["podNetwork"] = cluster.pod_network
    return document
