"""The QEMU command as data; which accelerator; the disk image's key."""

from __future__ import annotations

from pathlib import Path

import pytest

from nixgen.errors import EngineError, StoreError
from nixgen.programs.command import Command, Completed
from nixgen.vm.qemu.accel import KVM, TCG, choose_acceleration
from nixgen.vm.qemu.qemu import Channels, mac_address, qemu_command
from nixgen.vm.qemu.storeimage import closure_hash, store_image
from nixgen.vm.spec import ClosurePath, NodeSpec

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


def test_disks_come_in_order_and_commas_are_doubled() -> None:
    store, scratch = values(build(scratch_disk=Path("/d.raw")), "-blockdev")
    assert "file.filename=/s,,1.squashfs" in store
    assert "read-only=on" in store
    assert "node-name=scratch,read-only=off" in scratch


def test_a_reboot_is_allowed_on_request() -> None:
    assert "-no-reboot" not in build(allow_reboot=True).argv


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(EngineError, match="riscv64-linux"):
        build(system="riscv64-linux")


def test_every_card_has_its_own_address() -> None:
    addresses = {mac_address(vlan, node) for vlan in range(1, 255) for node in range(1, 20)}
    assert len(addresses) == 254 * 19


class Probe:
    """A runner that answers every command with one status, and counts."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.commands: list[Command] = []

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        return Completed(status=self.status)

    def lines(self, command: Command, on_line: object) -> Completed:
        raise NotImplementedError


@pytest.mark.parametrize(("status", "expected"), [(33, KVM), (1, TCG), (-9, TCG)])
def test_the_probe_decides_and_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, expected: object
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    probe = Probe(status)
    device = tmp_path / "kvm"  # openable, as /dev/kvm is on hosts where nothing boots
    device.touch()
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu svm sse2\n")
    for _ in range(2):
        found = choose_acceleration(
            probe,
            system="x86_64-linux",
            cache_dir=tmp_path / "cache",
            device=device,
            cpuinfo=cpuinfo,
        )
        assert found is expected
    assert len(probe.commands) == 1


def test_a_processor_without_virtualisation_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # seen with QEMU 10: such a host runs the boot sector under kvm, and then no kernel
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    probe = Probe(33)
    device, cpuinfo = tmp_path / "kvm", tmp_path / "cpuinfo"
    device.touch()
    cpuinfo.write_text("flags\t\t: fpu sse2\n")
    found = choose_acceleration(
        probe, system="x86_64-linux", cache_dir=tmp_path, device=device, cpuinfo=cpuinfo
    )
    assert found is TCG
    assert probe.commands == []


def test_no_device_and_foreign_systems_need_no_probe(tmp_path: Path) -> None:
    probe = Probe(33)
    for system in ("x86_64-linux", "sparc-linux"):
        found = choose_acceleration(
            probe, system=system, cache_dir=tmp_path, device=tmp_path / "none"
        )
        assert found is TCG
    assert probe.commands == []


def test_the_image_s_key_follows_paths_and_hashes_only() -> None:
    one = ClosurePath(path="/nix/store/a", nar_hash="sha256:1", nar_size=1)
    two = ClosurePath(path="/nix/store/b", nar_hash="sha256:2", nar_size=1)
    changed = ClosurePath(path="/nix/store/b", nar_hash="sha256:3", nar_size=1)
    assert closure_hash([one, two]) == closure_hash([two, one])
    assert len({closure_hash(c) for c in ([one], [one, two], [one, changed])}) == 3


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    absent = ClosurePath(path=str(tmp_path / "absent"), nar_hash="sha256:1", nar_size=1)
    with pytest.raises(StoreError) as caught:
        store_image((absent,), cache_dir=tmp_path, runner=Probe(0), observe=lambda _: None)
    assert caught.value.details == (str(tmp_path / "absent"),)


def test_a_full_disk_is_said_before_writing(tmp_path: Path) -> None:
    huge = ClosurePath(path=str(tmp_path), nar_hash="sha256:1", nar_size=1 << 60)
    probe = Probe(0)
    with pytest.raises(StoreError, match="MiB are free"):
        store_image((huge,), cache_dir=tmp_path / "c", runner=probe, observe=lambda _: None)
    assert probe.commands == []
