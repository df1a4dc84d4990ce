"""What a machine is on EC2, and its place in a cluster, as the options of lib/nixos/cluster.nix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nixgen import syntax as nix
from nixgen.models import ClusterMember, Ec2, Ingress, Machine, SecurityGroup, Volume
from nixgen.syntax import Expr

__all__ = ["facts"]


def facts(machine: Machine, machines: Iterable[Machine]) -> dict[tuple[str, ...], Expr]:
    """:param machines: among which the other members of its cluster are."""
    bindings: dict[tuple[str, ...], Expr] = {}
    if machine.cluster is not None:
        members = [each for each in machines if _master(each) is _master(machine)]
        bindings["nixgen", "cluster"] = _member(machine, machine.cluster, members)
    if machine.ec2 is not None:
        bindings["nixgen", "ec2"] = _ec2(machine.ec2)
    return bindings


def _master(machine: Machine) -> Machine | None:
    """The master of a machine's cluster; itself when it is one."""
    if machine.cluster is None:
        return None
    return machine.cluster.master or machine


def _member(machine: Machine, cluster: ClusterMember, members: list[Machine]) -> Expr:
    master = _master(machine) or machine
    pods = master.cluster.pod_network if master.cluster else None
    found = {
        "id": cluster.id,
        "role": cluster.role,
        "master": master.name,
        "members": {each.name: each.ec2.address if each.ec2 else None for each in members},
        "podNetwork": pods,
    }
    return nix.Mark(nix.quote(_said(found)), cluster.origin)


def _ec2(ec2: Ec2) -> Expr:
    found = {
        "region": ec2.region,
        "instanceType": ec2.instance_type,
        "address": ec2.address,
        "public": ec2.public,
        "image": ec2.image,
        "keyPair": ec2.key_pair,
        "rootSize": ec2.root_size,
        "subnet": _said({"id": ec2.subnet.id, "cidr": ec2.subnet.cidr, "zone": ec2.subnet.zone}),
        "securityGroups": tuple(map(_group, ec2.security_groups)),
        "storage": tuple(map(_volume, ec2.storage)),
    }
    return nix.Mark(nix.quote(_said(found)), ec2.origin)


def _group(group: SecurityGroup) -> dict[str, Any]:
    return {"id": group.id, "ingress": tuple(map(_ingress, group.ingress))}


def _ingress(ingress: Ingress) -> dict[str, Any]:
    return {
        "protocol": ingress.protocol,
        "from": ingress.port,
        "to": ingress.to,
        "source": ingress.source,
    }


def _volume(volume: Volume) -> dict[str, Any]:
    return _said(
        {
            "device": volume.device,
            "size": volume.size,
            "type": volume.type,
            "mountPoint": volume.mount_point,
            "fsType": volume.fs_type,
            "encrypted": volume.encrypted,
            "deleteOnTermination": volume.delete_on_termination,
        }
    )


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """What is None is left out; the options have it as their default."""
    return {name: value for name, value in found.items() if value is not None}
