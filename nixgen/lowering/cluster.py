"""The EC2 instance of a machine, and its place in a cluster, as the options of
lib/nixos/cluster.nix.
"""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.models import Machine, Member
from nixgen.syntax import Expr

__all__ = ["facts"]


def facts(machine: Machine, member: Member | None) -> dict[tuple[str, ...], Expr]:
    """The options ``nixgen.cluster`` and ``nixgen.ec2`` of a machine.

    :param machine: Machine to describe.
    :param member: Place of the machine in its cluster. None when it belongs to no cluster.
    """
    bindings: dict[tuple[str, ...], Expr] = {}
    if member is not None:
        bindings["nixgen", "cluster"] = _member(member)
    if machine.ec2 is not None:
        bindings["nixgen", "ec2"] = nix.Mark(nix.quote(machine.ec2.document()), machine.ec2.origin)
    return bindings


def _member(member: Member) -> Expr:
    cluster = member.cluster
    options = {
        "id": member.id,
        "role": member.role,
        "master": cluster.master.name,
        "members": {each.name: each.ec2.address if each.ec2 else None for each in cluster.machines},
    }
    if cluster.pod_network is not None:
        options["podNetwork"] = cluster.pod_network
    return nix.Mark(nix.quote(options), cluster.origin)
