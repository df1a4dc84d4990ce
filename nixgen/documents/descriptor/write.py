"""Write `Machine` and `Cluster` as machine.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nixgen.errors import UsageError
from nixgen.models import Cluster, Ec2, Machine, Member, members
from nixgen.records.document import document

__all__ = ["descriptor"]


def descriptor(machines: Iterable[Machine], clusters: Iterable[Cluster]) -> dict[str, Any]:
    """The document ``nixgen/machine/1`` of all machines that belong to a cluster.

    :param machines: Machines of a sound project.
    :param clusters: Clusters of the project.
    :raises UsageError: no machine belongs to a cluster, one that does is not on EC2, or the
        machines are in several regions.
    """
    places = {member.machine: member for member in members(clusters)}
    placed = [
        (machine, places[machine], _on_ec2(machine)) for machine in machines if machine in places
    ]
    if not placed:
        raise UsageError(
            "no machine of the project is a member of a cluster",
            hint="list them in Project(clusters=[Cluster(…)]), and give each ec2=Ec2(…)",
        )
    regions = sorted({ec2.region for _, _, ec2 in placed})
    if len(regions) > 1:
        raise UsageError(
            f"the machines are in {len(regions)} regions: {', '.join(regions)}",
            hint="a descriptor describes one region",
        )
    subnets = {ec2.subnet.id: ec2.subnet for _, _, ec2 in placed}
    groups = {group.id: group for _, _, ec2 in placed for group in ec2.security_groups}
    return document(
        "nixgen/machine/1",
        region=regions[0],
        subnets=[subnet.document() for subnet in subnets.values()],
        securityGroups=[group.document() for group in groups.values()],
        masters=[_machine(*each) for each in placed if each[1].role == "master"],
        workers=[_machine(*each) for each in placed if each[1].role == "worker"],
        membership={
            machine.name: [
                each.name
                for each, its, _ in placed
                if its.role == "worker" and its.cluster is member.cluster
            ]
            for machine, member, _ in placed
            if member.role == "master"
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


def _machine(machine: Machine, member: Member, ec2: Ec2) -> dict[str, Any]:
    document = {
        "id": member.id,
        "name": machine.name,
        "system": machine.system,
        **ec2.document(),
        "subnet": ec2.subnet.id,
        "securityGroups": [group.id for group in ec2.security_groups],
    }
    del document["region"]
    if member.role == "master" and member.cluster.pod_network is not None:
        document["podNetwork"] = member.cluster.pod_network
    return document
