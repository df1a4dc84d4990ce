"""EC2 instances: the subnets, security groups and volumes of rented machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import attrs

from nixgen.models.checks import pattern, repeated, whole_number
from nixgen.models.core import Fault, Model
from nixgen.models.disk import Device, FileSystemType, MountPoint
from nixgen.models.fields import LINES, ListOf, choice, field, flag, list_of, model
from nixgen.models.lines import Name, PlainText
from nixgen.models.network import IpAddress, NetworkRange

__all__ = ["Ec2", "Ingress", "SecurityGroup", "Subnet", "Volume"]

# Identifiers are a kind, a dash and 8 or 17 hexadecimal digits (EC2 User Guide, "Resource IDs").
_ID = r"[0-9a-f]{8}([0-9a-f]{9})?"


class SubnetId(
    Name, check=pattern(rf"subnet-{_ID}", what="a subnet's id", example="subnet-0a1b2c3d4e5f60718")
):
    """The id of a subnet."""

    __slots__ = ()


class GroupId(
    Name, check=pattern(rf"sg-{_ID}", what="a security group's id", example="sg-0a1b2c3d4e5f60718")
):
    """The id of a security group."""

    __slots__ = ()


class ImageId(
    Name, check=pattern(rf"ami-{_ID}", what="a machine image's id", example="ami-0a1b2c3d4e5f60718")
):
    """The id of an AMI."""

    __slots__ = ()


class Region(
    Name, check=pattern(r"[a-z]{2}(-[a-z]+)+-[0-9]", what="a region", example="eu-central-1")
):
    """The name of a region."""

    __slots__ = ()


class Zone(
    Name,
    check=pattern(
        r"[a-z]{2}(-[a-z]+)+-[0-9][a-z]", what="an availability zone", example="eu-central-1a"
    ),
):
    """The name of an availability zone."""

    __slots__ = ()


class InstanceType(
    Name, check=pattern(r"[a-z0-9-]+\.[a-z0-9-]+", what="an instance type", example="m5.large")
):
    """The name of an instance type."""

    __slots__ = ()


class KeyPair(
    PlainText, check=pattern(r"[ -~]{1,255}", what="a key pair's name", example="operators")
):
    """The name of a key pair, which only an API takes."""

    __slots__ = ()


VolumeType = Literal["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"]


class _Documented:
    """The base of the models that machine.json holds as objects (nixgen/documents/machine-1.json)."""

    __slots__ = ()

    def document(self) -> dict[str, Any]:
        """Write the value as JSON data: its fields that are not None, with names in camel case. Texts
        have the types of `nixgen.models.lines` that the fields declare.

        The options of nix/nixos/cluster.nix have the same names.
        """
        kind: Any = type(self)
        members = {each: getattr(self, each.name) for each in attrs.fields(kind) if each.init}
        return {
            re.sub(r"_(.)", lambda letter: letter[1].upper(), field.name): _json(value, field)
            for field, value in members.items()
            if value is not None
        }


def _json(value: Any, field: attrs.Attribute[Any]) -> Any:
    if isinstance(value, tuple):
        return [_json(each, field) for each in value]
    if isinstance(value, str):
        # a field without a type has a Literal
        (line,) = field.metadata[LINES] or (None,)
        return Name.constant(value) if line is None else line(value)
    return value.document() if isinstance(value, _Documented) else value


@model
class Subnet(Model, _Documented):
    """A subnet of a VPC.

    :param id: Id of the subnet on EC2, such as ``subnet-0a1b2c3d4e5f60718``.
    :param cidr: Address range of the subnet in CIDR notation, such as ``10.0.0.0/16``. None when it
        is unknown; addresses are then not checked against it.
    :param zone: Availability zone of the subnet, such as ``eu-central-1a``; it must lie in the
        region of the machine. None when it is unknown.
    """

    id: str = field(SubnetId, kw_only=False)
    cidr: str | None = field(NetworkRange, default=None)
    zone: str | None = field(Zone, default=None)


@model
class Ingress(Model, _Documented):
    """A rule that lets packets in through a security group.

    :param port: First port of the range that the rule opens.
    :param last: Last port of the range. None (the default) means that the rule opens ``port``
        alone.
    :param protocol: Protocol of the packets: ``tcp`` (the default) or ``udp``.
    :param source: Network that the packets come from, in CIDR notation; ``0.0.0.0/0``, any IPv4
        address, unless given.
    """

    port: int = field(whole_number(0, 65535), kw_only=False)
    last: int | None = field(whole_number(0, 65535), default=None)
    protocol: Literal["tcp", "udp"] = choice(Literal["tcp", "udp"], default="tcp")
    source: str = field(NetworkRange, default="0.0.0.0/0")

    @property
    def to(self) -> int:
        """The last port of the range."""
        return self.port if self.last is None else self.last

    def document(self) -> dict[str, Any]:
        """Write the value as JSON data."""
        return {
            "protocol": Name.constant(self.protocol),
            "from": self.port,
            "to": self.to,
            "source": NetworkRange(self.source),
        }

    def faults(self) -> Iterator[Fault]:
        if self.to < self.port:
            yield ".last", f"is before the first port, {self.port}", None


@model
class SecurityGroup(Model, _Documented):
    """A security group: the packets that EC2 lets through to a machine. The machine's own firewall
    opens the same ports.

    :param id: Id of the group on EC2, such as ``sg-0a1b2c3d4e5f60718``.
    :param ingress: Rules that let packets in. Without any (the default), the group opens no port in
        the machine's firewall.
    """

    id: str = field(GroupId, kw_only=False)
    ingress: ListOf[Ingress] = list_of(Ingress, default=())


@model
class Volume(Model, _Documented):
    """An EBS volume that is attached to a machine.

    :param device: Device of the volume on the machine, such as ``/dev/xvdf``.
    :param size: Size in GiB.
    :param type: Type of EBS volume: ``gp3`` (the default), ``gp2``, ``io1``, ``io2``, ``sc1``,
        ``st1`` or ``standard``.
    :param mount_point: Absolute path at which the volume is mounted. None (the default) means that
        it is not mounted.
    :param fs_type: File system that a new volume with a mount point gets; ``ext4`` unless given.
    :param encrypted: True (the default) when EBS encrypts the volume.
    :param delete_on_termination: True when the volume is deleted together with its machine. False
        (the default) keeps the volume and its data.
    """

    device: str = field(Device, kw_only=False)
    size: int = field(whole_number(1, 65536))
    type: VolumeType = choice(VolumeType, default="gp3")
    mount_point: str | None = field(MountPoint, default=None)
    fs_type: str = field(FileSystemType, default="ext4")
    encrypted: bool = flag(default=True)
    delete_on_termination: bool = flag(default=False)


@model
class Ec2(Model, _Documented):
    """The EC2 instance that a machine runs on.

    :param instance_type: Instance type, such as ``m5.large``.
    :param region: Region of the instance, such as ``eu-central-1``.
    :param subnet: Subnet that the instance is in.
    :param security_groups: Security groups of the instance, which decide the packets that reach it.
    :param address: Private IP address of the instance, inside the subnet. None (the default) lets
        EC2 choose one.
    :param public: True when the instance also gets a public address. False is the default.
    :param image: Id of the AMI that the instance starts from. None (the default) lets the
        deployment tool choose.
    :param key_pair: Name of the EC2 key pair whose owner may log in. None (the default) names none.
    :param root_size: Size of the root volume in GiB, 30 unless given.
    :param storage: Further EBS volumes. Each has a device and a mount point of its own.
    """

    instance_type: str = field(InstanceType, kw_only=False)
    region: str = field(Region)
    subnet: Subnet = field(Subnet)
    security_groups: ListOf[SecurityGroup] = list_of(SecurityGroup, default=())
    address: str | None = field(IpAddress, default=None)
    public: bool = flag(default=False)
    image: str | None = field(ImageId, default=None)
    key_pair: str | None = field(KeyPair, default=None)
    root_size: int = field(whole_number(1, 65536), default=30)
    storage: ListOf[Volume] = list_of(Volume, default=())

    def faults(self) -> Iterator[Fault]:
        for name in ("device", "mount_point"):
            for index, first, value in repeated(getattr(volume, name) for volume in self.storage):
                message = f"{value} is also that of storage[{first}]"
                yield f".storage[{index}].{name}", message, None
