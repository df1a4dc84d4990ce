"""``nixgen descriptor``: read machine.json, describe its machines, and write it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nixgen.documents.descriptor import descriptor, read_descriptor
from nixgen.models import Cluster, Machine, members

__all__ = ["descriptor", "read_descriptor", "rows"]


def rows(machines: Iterable[Machine], clusters: Iterable[Cluster]) -> Iterator[tuple[str, ...]]:
    """The rows of a table of machines: name, role, joined master, instance type, subnet, address.

    :param machines: the machines of a descriptor.
    :param clusters: the clusters of a descriptor.
    """
    places = {member.machine: member for member in members(clusters)}
    for machine in machines:
        ec2, member = machine.ec2, places.get(machine)
        yield (
            machine.name,
            member.role if member else "",
            member.cluster.master.name if member and member.role == "worker" else "",
            ec2.instance_type if ec2 else "",
            ec2.subnet.id if ec2 else "",
            (ec2.address if ec2 else "") or "",
        )
