"""What a machine is on EC2, and its place in a cluster, as the options of lib/nixos/cluster.nix."""

from __future__ import annotations

from collections.abc import Iterable

from nixgen import syntax as nix
from nixgen.models import ClusterMember, Machine
from nixgen.syntax import Expr

__all__ = ["facts"]


def facts(machine: Machine, machines: Iterable[Machine]) -> dict[tuple[str, ...], Expr]:
    """:param machines: among which the other members of its cluster are."""
    bindings: dict[tuple[str, ...], Expr] = {}
    if machine.cluster is not None:
        master = _master(machine) or machine
        members = [each for each in machines if _master(each) is master]
        bindings["nixgen", "cluster"] = _member(machine.cluster, master, members)
    if machine.ec2 is not None:
        bindings["nixgen", "ec2"] = nix.Mark(nix.quote(machine.ec2.document()), machine.ec2.origin)
    return bindings


def _master(machine: Machine) -> Machine | None:
    """The master of a machine's cluster; itself when it is one."""
    return None if machine.cluster is None else machine.cluster.master or machine


def _member(cluster: ClusterMember, master: Machine, members: list[Machine]) -> Expr:
    found = {
        "id": cluster.id,
        "role": cluster.role,
        "master": master.name,
        "members": {each.name: each.ec2.address if each.ec2 else None for each in members},
    }
    if master.cluster is not None and master.cluster.pod_network is not None:
        found["podNetwork"] = master.cluster.pod_network
    return nix.Mark(nix.quote(found), cluster.origin)
