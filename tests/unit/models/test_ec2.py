"""EC2 instances: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import Ec2, Ingress, Machine, Project, SecurityGroup, Subnet, Volume, check

SUBNET = Subnet("subnet-0a1b2c3d")


def instance(instance_type: str = "m5.large", **fields: Any) -> Project:
    ec2 = Ec2(instance_type, **{"region": "eu-central-1", "subnet": SUBNET, **fields})
    return Project("p", machines=[Machine("m", ec2=ec2)])


def group(*rules: Ingress) -> Project:
    return instance(security_groups=[SecurityGroup("sg-0a1b2c3d", ingress=rules)])


FAULTS = {
    "instance type": (instance("large"), "instance_type"),
    "region": (instance(region="Frankfurt"), "region"),
    "address": (instance(address="10.0.0"), "address"),
    "image": (instance(image="nixos"), "image"),
    "root size": (instance(root_size=0), "root_size"),
    "subnet": (instance(subnet=Subnet("subnet-1")), "subnet.id"),
    "subnet of host bits": (instance(subnet=Subnet("subnet-0a1b2c3d", cidr="10.0.0.1/8")), "subnet.cidr"),
    "zone": (instance(subnet=Subnet("subnet-0a1b2c3d", zone="a")), "subnet.zone"),
    "zone of another region": (instance(subnet=Subnet("subnet-0a1b2c3d", zone="eu-west-1a")), "subnet"),
    "address of another subnet": (
        instance(subnet=Subnet("subnet-0a1b2c3d", cidr="10.0.0.0/16"), address="10.1.0.1"),
        "address",
    ),
    "group": (instance(security_groups=[SecurityGroup("default")]), "security_groups[0].id"),
    "ports backwards": (group(Ingress(80, last=79)), "security_groups[0].ingress[0].last"),
    "source": (group(Ingress(80, source="any")), "security_groups[0].ingress[0].source"),
    "volume type": (instance(storage=[Volume("/dev/xvdf", size=1, type="ssd")]), "storage[0].type"),
    "device twice": (
        instance(storage=[Volume("/dev/xvdf", size=1), Volume("/dev/xvdf", size=2)]),
        "storage[1].device",
    ),
    "mounted twice": (
        instance(
            storage=[
                Volume("/dev/xvdf", size=1, mount_point="/data"),
                Volume("/dev/xvdg", size=1, mount_point="/data"),
            ]
        ),
        "storage[1].mount_point",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    project, path = FAULTS[name]
    assert_only_fault(project, f"machines.m.ec2.{path}", __file__)


def test_volumes_that_are_not_mounted_share_no_mount_point() -> None:
    assert check(instance(storage=[Volume("/dev/xvdf", size=1), Volume("/dev/xvdg", size=1)])) == ()
