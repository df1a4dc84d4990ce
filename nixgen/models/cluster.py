"""Kubernetes clusters: which machines are masters, and which workers join them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Literal, NamedTuple

import attrs

from nixgen.models.checks import (
    LABEL,
    LABEL_RULE,
    Many,
    as_dict,
    as_tuple,
    checked,
    mapping,
    model,
    models,
    optional,
    pattern,
    string,
    whole_number,
)
from nixgen.models.core import Model
from nixgen.models.machine import Machine, as_machines
from nixgen.models.network import network_range

__all__ = ["Cluster", "Member", "as_clusters", "members"]

_NAME = pattern(LABEL, what="a name", example="main", allowed=LABEL_RULE)

Role = Literal["master", "worker"]


def as_ids(value: Mapping[str, int]) -> dict[str, int]:
    return as_dict(value)


@attrs.frozen(eq=False)
class Cluster(Model):
    """A Kubernetes cluster: a master, and the workers that join it.

    :param name: Name of the cluster.
    :param master: Machine that runs the control plane.
    :param workers: Machines that join the master.
    :param pod_network: Address range of the pods, in CIDR notation. None (the default) leaves the
        range to the platform.
    :param ids: Numbers of members by the name of the machine: ``{"worker-7": 7}``. No two masters
        and no two workers of a project may have the same number. Members that are not named get
        the lowest numbers that are free, from 0, masters and workers apart.
    """

    addressed_by_name = True

    name: str = attrs.field(metadata=checked(_NAME))
    master: Machine = attrs.field(kw_only=True, metadata=model(Machine))
    workers: tuple[Machine, ...] = attrs.field(
        default=(), kw_only=True, converter=as_machines, metadata=models(Machine)
    )
    pod_network: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(network_range))
    )
    ids: Mapping[str, int] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_ids,
        metadata=checked(mapping(string, whole_number(0, 2**31 - 1))),
    )


def as_clusters(value: Many[Cluster]) -> tuple[Cluster, ...]:
    return as_tuple(value)


class Member(NamedTuple):
    """The place of a machine in its cluster.

    :param machine: Machine that is the member.
    :param cluster: Cluster that the machine belongs to.
    :param role: Role in the cluster: ``master`` or ``worker``.
    :param id: Number of the member; no other member of the project with the same role has it.
    """

    machine: Machine
    cluster: Cluster
    role: Role
    id: int


def members(clusters: Iterable[Cluster]) -> Iterator[Member]:
    """Yield the members of clusters: of each cluster the master, then its workers.

    :param clusters: All clusters of a project, because members are numbered across them.
    """
    places: list[tuple[Cluster, Machine, Role]] = []
    for cluster in clusters:
        places.append((cluster, cluster.master, "master"))
        places.extend((cluster, worker, "worker") for worker in cluster.workers)
    given = {(role, cluster.ids.get(machine.name)) for cluster, machine, role in places}
    numbers = {"master": count(), "worker": count()}
    for cluster, machine, role in places:
        number = cluster.ids.get(machine.name)
        if number is None:
            number = next(each for each in numbers[role] if (role, each) not in given)
        yield Member(machine, cluster, role, number)
