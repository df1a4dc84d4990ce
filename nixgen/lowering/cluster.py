"""The EC2 instance of a machine, and its place in a cluster, as the options of
lib/nixos/cluster.nix.
"""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.written import Written, data, network
from nixgen.models import Machine, Member
from nixgen.models.lines import NetworkLine
from nixgen.models.machine import HostName
from nixgen.models.network import IpAddress, NetworkRange
from nixgen.syntax import Expr

__all__ = ["facts"]

_NOWHERE = Written(nix.Null())


def facts(machine: Machine, member: Member | None) -> dict[tuple[str, ...], Expr]:
    """The options ``nixgen.cluster`` and ``nixgen.ec2`` of a machine.

    :param machine: Machine to describe.
    :param member: Place of the machine in its cluster. None when it belongs to no cluster.
    """
    bindings: dict[tuple[str, ...], Expr] = {}
    if member is not None:
        bindings["nixgen", "cluster"] = _member(member)
    if machine.ec2 is not None:
        bindings["nixgen", "ec2"] = nix.Mark(data(machine.ec2.document()), machine.ec2.origin)
    return bindings


def _member(member: Member) -> Expr:
    cluster = member.cluster
    members = {
        HostName(each.name): _NOWHERE
        if each.ec2 is None or each.ec2.address is None
        else network(IpAddress(each.ec2.address))
        for each in cluster.machines
    }
    options = network.present(
        {
            "id": member.id,
            "role": NetworkLine.constant(member.role),
            "master": HostName(cluster.master.name),
            "podNetwork": None
            if cluster.pod_network is None
            else NetworkRange(cluster.pod_network),
        }
    )
    options["members"] = Written(nix.AttrSet(members))
    return nix.Mark(nix.AttrSet(options), cluster.origin)
