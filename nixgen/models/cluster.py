"""Kubernetes clusters: masters, and the workers that join them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Literal, NamedTuple

from nixgen.models.checks import whole_number
from nixgen.models.core import Model
from nixgen.models.fields import ListOf, dict_of, field, list_of, model
from nixgen.models.lines import PlainText, TargetName
from nixgen.models.machine import Machine
from nixgen.models.network import NetworkRange

__all__ = ["Cluster"]

Role = Literal["master", "worker"]


@model
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

    name: str = field(TargetName, kw_only=False)
    master: Machine = field(Machine)
    workers: ListOf[Machine] = list_of(Machine, default=())
    pod_network: str | None = field(NetworkRange, default=None)
    ids: Mapping[str, int] = dict_of(PlainText, whole_number(0, 2**31 - 1), default={})

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The master, then the workers."""
        return (self.master, *self.workers)

    def places(self) -> dict[str, Machine]:
        """The machines by their place in the cluster: ``master``, ``workers[0]``."""
        workers = {f"workers[{index}]": each for index, each in enumerate(self.workers)}
        return {"master": self.master, **workers}


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
