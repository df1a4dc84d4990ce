"""Machines that are rented and that belong together: instances on EC2, masters and workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import attrs

from nixgen.models.core import (
    FLAG,
    Fault,
    Many,
    Model,
    as_tuple,
    checked,
    instance,
    model,
    models,
    one_of,
    optional,
    pattern,
    whole_number,
)
from nixgen.models.disk import DEVICE, MOUNT_POINT, WORD
from nixgen.models.network import address, network_range

if TYPE_CHECKING:
    from nixgen.models.machine import Machine

__all__ = ["ClusterMember", "Ec2", "Ingress", "SecurityGroup", "Subnet", "Volume"]

# Identifiers are a kind, a dash and 8 or 17 hexadecimal digits (EC2 User Guide, "Resource IDs").
_ID = r"[0-9a-f]{8}([0-9a-f]{9})?"
_SUBNET = pattern(rf"subnet-{_ID}", what="a subnet's id", example="subnet-0a1b2c3d4e5f60718")
_GROUP = pattern(rf"sg-{_ID}", what="a security group's id", example="sg-0a1b2c3d4e5f60718")
_AMI = pattern(rf"ami-{_ID}", what="a machine image's id", example="ami-0a1b2c3d4e5f60718")
_REGION = pattern(r"[a-z]{2}(-[a-z]+)+-[0-9]", what="a region", example="eu-central-1")
_ZONE = pattern(
    r"[a-z]{2}(-[a-z]+)+-[0-9][a-z]", what="an availability zone", example="eu-central-1a"
)
_INSTANCE_TYPE = pattern(r"[a-z0-9-]+\.[a-z0-9-]+", what="an instance type", example="m5.large")
_KEY_PAIR = pattern(r"[ -~]{1,255}", what="a key pair's name", example="operators")

Role = Literal["master", "worker"]
VolumeType = Literal["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"]


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """What is None is left out."""
    return {name: value for name, value in found.items() if value is not None}


# `document` is a value as machine.json has it (nixgen/documents/machine-1.json); the options of lib/nixos/cluster.nix have the same names.


@attrs.frozen(eq=False)
class Subnet(Model):
    """A subnet of a VPC.

    :param cidr: its addresses.
    :param zone: the availability zone it is in.
    """

    id: str = attrs.field(metadata=checked(_SUBNET))
    cidr: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(network_range))
    )
    zone: str | None = attrs.field(default=None, kw_only=True, metadata=checked(optional(_ZONE)))

    def document(self) -> dict[str, Any]:
        return _said({"id": self.id, "cidr": self.cidr, "zone": self.zone})


@attrs.frozen(eq=False)
class Ingress(Model):
    """Packets that a security group lets in.

    :param port: the first one. ``last`` is the last one of a range.
    :param source: where they come from.
    """

    port: int = attrs.field(metadata=checked(whole_number(0, 65535)))
    last: int | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(whole_number(0, 65535)))
    )
    protocol: Literal["tcp", "udp"] = attrs.field(
        default="tcp", kw_only=True, metadata=checked(one_of(Literal["tcp", "udp"]))
    )
    source: str = attrs.field(default="0.0.0.0/0", kw_only=True, metadata=checked(network_range))

    @property
    def to(self) -> int:
        return self.port if self.last is None else self.last

    def document(self) -> dict[str, Any]:
        return {
            "protocol": self.protocol,
            "from": self.port,
            "to": self.to,
            "source": self.source,
        }

    def faults(self) -> Iterator[Fault]:
        if self.to < self.port:
            yield ".last", f"is before the first port, {self.port}", None


def as_ingress(value: Many[Ingress]) -> tuple[Ingress, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class SecurityGroup(Model):
    """What EC2 lets through to a machine. The machine's own firewall opens the same ports."""

    id: str = attrs.field(metadata=checked(_GROUP))
    ingress: tuple[Ingress, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_ingress,
        metadata=models(Ingress),
    )

    def document(self) -> dict[str, Any]:
        return {"id": self.id, "ingress": [rule.document() for rule in self.ingress]}


def as_security_groups(value: Many[SecurityGroup]) -> tuple[SecurityGroup, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Volume(Model):
    """A volume of EBS.

    :param size: GiB.
    :param mount_point: where it is mounted; a new volume gets a file system of ``fs_type``. Not at all when None.
    :param delete_on_termination: whether it goes when its machine goes.
    """

    device: str = attrs.field(metadata=checked(DEVICE))
    size: int = attrs.field(kw_only=True, metadata=checked(whole_number(1, 65536)))
    type: str = attrs.field(
        default="gp3",
        kw_only=True,
        metadata=checked(one_of(VolumeType)),
    )
    mount_point: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(MOUNT_POINT))
    )
    fs_type: str = attrs.field(default="ext4", kw_only=True, metadata=checked(WORD))
    encrypted: bool = attrs.field(default=True, kw_only=True, metadata=FLAG)
    delete_on_termination: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)

    def document(self) -> dict[str, Any]:
        return _said(
            {
                "device": self.device,
                "size": self.size,
                "type": self.type,
                "mountPoint": self.mount_point,
                "fsType": self.fs_type,
                "encrypted": self.encrypted,
                "deleteOnTermination": self.delete_on_termination,
            }
        )


def as_volumes(value: Many[Volume]) -> tuple[Volume, ...]:
    return as_tuple(value)


@attrs.frozen(eq=False)
class Ec2(Model):
    """What a machine is on EC2.

    :param address: its private one, in the subnet; EC2 chooses when None.
    :param public: whether it also gets a public one.
    :param image: the AMI it starts from; the one of whoever deploys when None.
    :param key_pair: whose owner may log in.
    :param root_size: GiB.
    """

    instance_type: str = attrs.field(metadata=checked(_INSTANCE_TYPE))
    region: str = attrs.field(kw_only=True, metadata=checked(_REGION))
    subnet: Subnet = attrs.field(kw_only=True, metadata=model(Subnet))
    security_groups: tuple[SecurityGroup, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_security_groups,
        metadata=models(SecurityGroup),
    )
    address: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(address))
    )
    public: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    image: str | None = attrs.field(default=None, kw_only=True, metadata=checked(optional(_AMI)))
    key_pair: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(_KEY_PAIR))
    )
    root_size: int = attrs.field(default=30, kw_only=True, metadata=checked(whole_number(1, 65536)))
    storage: tuple[Volume, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_volumes,
        metadata=models(Volume),
    )

    def document(self) -> dict[str, Any]:
        """As `nixgen.ec2` of lib/nixos/cluster.nix has it."""
        return _said(
            {
                "region": self.region,
                "instanceType": self.instance_type,
                "address": self.address,
                "public": self.public,
                "image": self.image,
                "keyPair": self.key_pair,
                "rootSize": self.root_size,
                "subnet": self.subnet.document(),
                "securityGroups": [group.document() for group in self.security_groups],
                "storage": [volume.document() for volume in self.storage],
            }
        )

    def faults(self) -> Iterator[Fault]:
        for field in ("device", "mount_point"):
            first: dict[str, int] = {}
            for index, volume in enumerate(self.storage):
                value = getattr(volume, field)
                if value is not None and first.setdefault(value, index) != index:
                    yield (
                        f".storage[{index}].{field}",
                        f"{value} is also that of storage[{first[value]}]",
                        None,
                    )


def _a_machine(value: Any) -> Iterator[Fault]:
    from nixgen.models.machine import Machine

    yield from instance(Machine, what="a Machine")(value)


@attrs.frozen(eq=False)
class ClusterMember(Model):
    """A machine's place in a cluster.

    :param id: a number that no other member of its role has.
    :param role: ``master`` or ``worker``.
    :param master: the machine that a worker has joined.
    :param pod_network: the addresses of pods, for a master and its workers.
    """

    id: int = attrs.field(metadata=checked(whole_number(0, 2**31 - 1)))
    role: Role = attrs.field(kw_only=True, metadata=checked(one_of(Role)))
    master: Machine | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(_a_machine))
    )
    pod_network: str | None = attrs.field(
        default=None, kw_only=True, metadata=checked(optional(network_range))
    )

    def faults(self) -> Iterator[Fault]:
        if self.role == "worker" and self.master is None:
            yield (
                ".master",
                "is missing: a worker belongs to a master",
                "give master=… with its Machine",
            )
        if self.role == "master" and self.master is not None:
            yield ".master", "belongs to a worker", 'leave it out, or give role="worker"'
        if self.role == "worker" and self.pod_network is not None:
            yield ".pod_network", "is the master's to say", "give it to the master's ClusterMember"
