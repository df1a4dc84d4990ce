"""Machines: wrong values are named with their paths."""

from __future__ import annotations

from typing import Any

import pytest
from faults import assert_only_fault

from nixgen.models import (
    Boot,
    ConfigFile,
    FileSystem,
    Interface,
    Machine,
    Network,
    Package,
    Project,
    User,
    check,
    mk_force,
    text,
)


def machine(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", **fields)])


FAULTS = {
    "machine name": (Project("p", machines=[Machine("a_b")]), "machines.a_b.name"),
    "machine system": (Project("p", machines=[Machine("m", system="vax")]), "machines.m.system"),
    "machine memory": (Project("p", machines=[Machine("m", memory=1)]), "machines.m.memory"),
    "etc path": (
        Project("p", machines=[Machine("m", files={"../x": ConfigFile("x", "")})]),
        "machines.m.files['../x']",
    ),
    "mounted twice": (
        machine(file_systems=[FileSystem("/", device="/dev/a"), FileSystem("/", device="/dev/b")]),
        "machines.m.file_systems[1].mount_point",
    ),
    "swap": (machine(swap=["swapfile"]), "machines.m.swap[0]"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_once_at_its_path(name: str) -> None:
    assert_only_fault(*FAULTS[name], __file__)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX"


def test_a_machine_with_every_kind_of_setting_has_no_problem() -> None:
    own = Machine(
        "m",
        network=Network(
            interfaces=[Interface("eth0", addresses=["10.0.0.5/24", "fd00::5/64"], dhcp=False)],
            gateways=["10.0.0.1", "fd00::1"],
            hosts={"fd00::7": ["db.example.org", "db"]},
        ),
        boot=Boot(loader="grub", device="/dev/vda", sysctl={"net.ipv4.conf.all.forwarding": True}),
        users=[User("ann", shell=Package("bash"), authorized_keys=[f"{KEY} ann@home"])],
        options={
            'boot.kernel.sysctl."vm.swappiness"': 10,
            "services.nginx": {"enable": True, "package": Package("nginx")},
            "services.nginx.virtualHosts": {
                "example.org": {"root": text("${p}/x", p=Package("p"))}
            },
            "a": [None, 1.5, mk_force(["x"])],
        },
    )
    assert check(Project("p", machines=[own])) == ()
