"""Networks, disks, sandboxes, options and overlays: what is wrong is named with its path."""

from __future__ import annotations

from typing import Any

import pytest

from nixgen.models import (
    Boot,
    Environment,
    FileSystem,
    Hardening,
    Interface,
    Machine,
    Network,
    NixModule,
    Overlay,
    Package,
    Project,
    Secret,
    Service,
    TmpfilesRule,
    User,
    check,
    mk_force,
    text,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINh7RFC4+Ow9JliyUaTJWGkXUZ09A/zhkLwKFgc+jGbX"


def machine(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m", **fields)])


def network(**fields: Any) -> Project:
    return machine(network=Network(**fields))


def service(**fields: Any) -> Project:
    return machine(services=[Service("s", command=["/bin/s"], **fields)])


def environment(**fields: Any) -> Project:
    return Project("p", machines=[Machine("m")], environments=[Environment("e", **fields)])


FAULTS = {
    "interface name": (network(interfaces=[Interface("eth 0")]), "network.interfaces[0].name"),
    "address without prefix": (
        network(interfaces=[Interface("eth0", addresses=["10.0.0.1"])]),
        "network.interfaces[0].addresses[0]",
    ),
    "address out of range": (
        network(interfaces=[Interface("eth0", addresses=["10.0.0.256/24"])]),
        "network.interfaces[0].addresses[0]",
    ),
    "address twice": (
        network(
            interfaces=[
                Interface("eth0", addresses=["fd00::1/64"]),
                Interface("eth1", addresses=["fd00:0::1/64"]),
            ]
        ),
        "network.interfaces[1].addresses[0]",
    ),
    "interface twice": (
        network(interfaces=[Interface("eth0"), Interface("eth0")]),
        "network.interfaces[1].name",
    ),
    "mtu": (network(interfaces=[Interface("eth0", mtu=9)]), "network.interfaces[0].mtu"),
    "two gateways": (network(gateways=["10.0.0.1", "10.0.0.2"]), "network.gateways[1]"),
    "gateway": (network(gateways=["router"]), "network.gateways[0]"),
    "nameserver": (network(nameservers=["8.8.8"]), "network.nameservers[0]"),
    "domain": (network(domain="a..b"), "network.domain"),
    "hosts": (network(hosts={"web": ["10.0.0.1"]}), "network.hosts['web']"),
    "host name": (network(hosts={"10.0.0.1": ["a b"]}), "network.hosts['10.0.0.1'][0]"),
    "loader": (machine(boot=Boot(loader="lilo")), "boot.loader"),
    "grub without a disk": (machine(boot=Boot(loader="grub")), "boot.device"),
    "disk without grub": (machine(boot=Boot(device="/dev/vda")), "boot.device"),
    "kernel parameter": (machine(boot=Boot(kernel_parameters=["a b"])), "boot.kernel_parameters[0]"),
    "sysctl": (machine(boot=Boot(sysctl={"vm.x": 1.5})), "boot.sysctl['vm.x']"),
    "mount point": (
        machine(file_systems=[FileSystem("data", device="/dev/vdb")]),
        "file_systems[0].mount_point",
    ),
    "mounted twice": (
        machine(file_systems=[FileSystem("/", device="/dev/a"), FileSystem("/", device="/dev/b")]),
        "file_systems[1].mount_point",
    ),
    "swap": (machine(swap=["swapfile"]), "swap[0]"),
    "tmpfiles type": (machine(tmpfiles=[TmpfilesRule("/x", type="dir")]), "tmpfiles[0].type"),
    "tmpfiles mode": (machine(tmpfiles=[TmpfilesRule("/x", mode="rwx")]), "tmpfiles[0].mode"),
    "shell": (machine(users=[User("ann", shell="bash")]), "users.ann.shell"),
    "key": (machine(users=[User("ann", authorized_keys=["AAAA"])]), "users.ann.authorized_keys[0]"),
    "file system": (
        service(hardening=Hardening(filesystem="closed")),
        "services.s.hardening.filesystem",
    ),
    "capability": (
        service(hardening=Hardening(capabilities=["NET_ADMIN"])),
        "services.s.hardening.capabilities[0]",
    ),
    "system call": (
        service(hardening=Hardening(system_calls=["@Mount"])),
        "services.s.hardening.system_calls[0]",
    ),
    "writable in the open": (
        service(
            user=User("s"), hardening=Hardening(filesystem="open", writable=["/srv"])
        ),
        "services.s.hardening.writable",
    ),
    "a dynamic user stays closed": (service(hardening=Hardening.off()), "services.s.hardening"),
    "option path": (machine(options={"services.": True}), "options['services.']"),
    "option path of an address": (
        machine(options={"networking.hosts.10.0.0.1": []}),
        "options['networking.hosts.10.0.0.1']",
    ),
    "option value": (machine(options={"a": {1, 2}}), "options['a']"),
    "option value inside": (machine(options={"a": {"b": [object()]}}), "options['a']['b'][0]"),
    "option is a secret": (machine(options={"a.b": Secret("x")}), "options['a.b']"),
    "secret in an option's text": (
        machine(options={"a": {"b": text("${s}", s=Secret("x"))}}),
        "options['a']['b']",
    ),
    "option is infinite": (machine(options={"a": float("inf")}), "options['a']"),
    "option is too large": (machine(options={"a": 2**63}), "options['a']"),
    "option name is a number": (machine(options={"a": {1: 2}}), "options['a'][1]"),
    "options are a list": (machine(options=["a"]), "options"),
    "option twice": (machine(options={"a.b": 1, "a": {"b": 2}}), "options['a']"),
    "option inside of a value": (machine(options={"a": 1, "a.b": 2}), "options['a.b']"),
    "secret in a property": (machine(options={"a": mk_force(Secret("x"))}), "options['a'].value"),
    "module is absolute": (machine(modules=[NixModule("/etc/x.nix")]), "modules[0].path"),
    "module is text": (machine(modules=["x.nix"]), "modules[0]"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_names_the_fault(name: str) -> None:
    project, path = FAULTS[name]
    problems = check(project)
    assert [problem.path for problem in problems] == [f"machines.m.{path}"]
    assert problems[0].where


STRANGER = Machine("stranger")


@pytest.mark.parametrize(
    ("project", "path"),
    [
        (environment(options={"..": 1}), "environments.e.options['..']"),
        (environment(modules=[NixModule("~/x")]), "environments.e.modules[0].path"),
        (environment(overlays=[Overlay(STRANGER)]), "environments.e.overlays[0]"),
        (environment(overlays=[STRANGER]), "environments.e.overlays[0]"),
    ],
)
def test_names_the_fault_of_an_environment(project: Project, path: str) -> None:
    assert [problem.path for problem in check(project)] == [path]


def test_one_overlay_is_enough_for_a_machine() -> None:
    own = Machine("m")
    project = Project(
        "p",
        machines=[own],
        environments=[Environment("e", overlays=[Overlay(own), Overlay(own)])],
    )
    (problem,) = check(project)
    assert problem.path == "environments.e.overlays[1]"
    assert "second one for 'm'" in problem.message


def test_what_is_sound_is_taken() -> None:
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
