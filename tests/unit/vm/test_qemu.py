"""The QEMU command of a node, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from nixgen.errors import EngineError
from nixgen.programs.command import Command
from nixgen.vm.qemu.accel import KVM, TCG
from nixgen.vm.qemu.qemu import Channels, mac_address, qemu_command
from nixgen.vm.spec import NodeSpec

NODE = NodeSpec(
    name="web",
    number=2,
    kernel=Path("/k"),
    initrd=Path("/i"),
    toplevel="/nix/store/m",
    memory=256,
    cores=2,
    vlans=(1, 7),
    cmdline="console=ttyS0",
)


def build(node: NodeSpec = NODE, **changes: object) -> Command:
    arguments: dict[str, object] = {
        "system": "x86_64-linux",
        "acceleration": TCG,
        "store_image": Path("/s,1.squashfs"),
        "scratch_disk": None,
        "channels": Channels(shell=4, qmp=5, console=6, networks=(7, 8)),
        **changes,
    }
    return qemu_command(node, **arguments)  # type: ignore[arg-type]


def values(command: Command, option: str) -> list[str]:
    pairs = zip(command.argv, command.argv[1:], strict=False)
    return [value for key, value in pairs if key == option]


def test_the_command_of_a_node() -> None:
    command = build()
    assert values(command, "-append") == [
        "console=ttyS0 nixgen.toplevel=/nix/store/m nixgen.shell=1"
    ]
    assert values(command, "-m") == ["256"]
    assert values(command, "-smp") == ["2"]
    assert values(command, "-netdev") == [
        "dgram,id=vlan1,local.type=fd,local.str=7",
        "dgram,id=vlan7,local.type=fd,local.str=8",
    ]
    assert values(command, "-device") == [
        "virtio-blk-pci,drive=store",
        "virtio-serial-pci",
        "virtserialport,chardev=shell,name=nixgen.shell",
        "virtio-rng-pci",
        "VGA",
        "virtio-net-pci,netdev=vlan1,mac=52:54:00:12:01:02,romfile=",
        "virtio-net-pci,netdev=vlan7,mac=52:54:00:12:07:02,romfile=",
    ]
    assert "-no-reboot" in command.argv


def test_the_whole_command_of_a_node_with_two_disks() -> None:
    assert " ".join(build(scratch_disk=Path("/d.raw")).argv) == (
        "qemu-system-x86_64 -name web -nodefaults -no-user-config -display none -machine q35"
        " -accel tcg,thread=multi -cpu max -smp 2 -m 256 -kernel /k -initrd /i"
        " -append console=ttyS0 nixgen.toplevel=/nix/store/m nixgen.shell=1"
        " -chardev socket,id=console,fd=6 -serial chardev:console"
        " -chardev socket,id=qmp,fd=5 -mon chardev=qmp,mode=control"
        " -blockdev driver=raw,node-name=store,read-only=on,cache.no-flush=on,"
        "file.driver=file,file.filename=/s,,1.squashfs,file.read-only=on,file.locking=off"
        " -device virtio-blk-pci,drive=store"
        " -blockdev driver=raw,node-name=scratch,read-only=off,cache.no-flush=on,"
        "file.driver=file,file.filename=/d.raw,file.read-only=off,file.locking=off"
        " -device virtio-blk-pci,drive=scratch"
        " -device virtio-serial-pci -chardev socket,id=shell,fd=4"
        " -device virtserialport,chardev=shell,name=nixgen.shell"
        " -device virtio-rng-pci -device VGA"
        " -netdev dgram,id=vlan1,local.type=fd,local.str=7"
        " -device virtio-net-pci,netdev=vlan1,mac=52:54:00:12:01:02,romfile="
        " -netdev dgram,id=vlan7,local.type=fd,local.str=8"
        " -device virtio-net-pci,netdev=vlan7,mac=52:54:00:12:07:02,romfile="
        " -no-reboot"
    )


def test_the_command_of_another_system_under_kvm() -> None:
    argv = build(
        evolve(NODE, name="a,b", cmdline=""), system="aarch64-linux", acceleration=KVM
    ).argv
    assert " ".join(argv).startswith(
        "qemu-system-aarch64 -name a,,b -nodefaults -no-user-config -display none"
        " -machine virt -accel kvm -cpu host -smp 2"
    )
    assert argv[argv.index("-append") + 1] == "nixgen.toplevel=/nix/store/m nixgen.shell=1"


def test_each_card_needs_its_descriptor() -> None:
    with pytest.raises(ValueError, match="zip"):
        build(channels=Channels(shell=4, qmp=5, console=6, networks=(7,)))


def test_qemu_inherits_every_channel() -> None:
    assert Channels(shell=4, qmp=5, console=6, networks=(7, 8)).all == (4, 5, 6, 7, 8)


def test_disks_come_in_order_and_commas_are_doubled() -> None:
    store, scratch = values(build(scratch_disk=Path("/d.raw")), "-blockdev")
    assert "file.filename=/s,,1.squashfs" in store
    assert "read-only=on" in store
    assert "node-name=scratch,read-only=off" in scratch


def test_a_reboot_is_allowed_on_request() -> None:
    assert "-no-reboot" not in build(allow_reboot=True).argv


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(EngineError) as caught:
        build(system="riscv64-linux")
    assert caught.value.message == "machine tests cannot boot riscv64-linux"
    assert caught.value.hint == "supported systems: aarch64-linux, x86_64-linux"


def test_every_card_has_its_own_address() -> None:
    assert mac_address(254, 17) == "52:54:00:12:fe:11"
    addresses = {mac_address(vlan, node) for vlan in range(1, 255) for node in range(1, 20)}
    assert len(addresses) == 254 * 19


def test_the_command_names_the_file_of_secrets_and_has_no_value() -> None:
    channels = Channels(shell=4, qmp=5, console=6, networks=(7, 8), secrets=9)
    assert channels.all == (4, 5, 6, 7, 8, 9)
    assert values(build(channels=channels), "-fw_cfg") == ["name=opt/nixgen/secrets,file=/dev/fd/9"]
    assert values(build(), "-fw_cfg") == []
