"""The choice between KVM and emulation: the probe, and its remembered result."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from nixgen.errors import MissingToolError, StoreError, WorkError
from nixgen.programs.command import Command, Completed
from nixgen.vm.qemu.accel import KVM, TCG, Acceleration, choose_acceleration


class Probe:
    """A runner that answers every command with one status, and counts."""

    def __init__(self, status: int | Exception) -> None:
        self.status = status
        self.commands: list[Command] = []
        self.sectors: list[bytes] = []

    def run(self, command: Command) -> Completed:
        self.commands.append(command)
        drive = command.argv[command.argv.index("-drive") + 1]
        self.sectors.append(Path(drive.split(",")[0].removeprefix("file=")).read_bytes())
        if isinstance(self.status, Exception):
            raise self.status
        return Completed(status=self.status)

    def lines(self, command: Command, on_line: object, **_: object) -> Completed:
        raise NotImplementedError


@frozen
class Host:
    """A host whose files the test writes."""

    folder: Path

    def choose(self, probe: Probe, **changes: Any) -> Acceleration:
        return choose_acceleration(
            probe,
            **{
                "system": "x86_64-linux",
                "cache_dir": self.folder / "cache",
                "device": self.folder / "kvm",
                "cpuinfo": self.folder / "cpuinfo",
                **changes,
            },
        )

    @property
    def remembered(self) -> Path:
        return self.folder / "cache" / "acceleration.json"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """An x86 host with KVM's device, openable as it is on hosts where nothing boots."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "kvm").touch()
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu svm sse2\n")
    return Host(tmp_path)


@pytest.mark.parametrize("flags", ["fpu vmx", "svm fpu"])
@pytest.mark.parametrize(("status", "expected"), [(33, KVM), (1, TCG), (-9, TCG), (0, TCG)])
def test_the_probe_decides_and_is_remembered(
    host: Host, status: int, expected: Acceleration, flags: str
) -> None:
    (host.folder / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    probe = Probe(status)
    for _ in range(2):
        assert host.choose(probe) is expected
    assert len(probe.commands) == 1
    document = json.loads(host.remembered.read_text())
    assert document["schema"] == "nixgen/acceleration/1"
    assert document["kvm"] is (expected is KVM)
    assert set(document["host"]) == {"kernel", "boot", "device"}
    assert list(host.remembered.parent.iterdir()) == [host.remembered]


def test_the_probe_boots_one_sector_that_ends_qemu(host: Host) -> None:
    probe = Probe(33)
    host.choose(probe)
    (command,), (sector,) = probe.commands, probe.sectors
    words = [word for word in command.argv if not word.startswith("file=")]
    assert " ".join(words) == (
        "qemu-system-x86_64 -nodefaults -no-user-config -display none -machine pc"
        " -accel kvm -cpu host -m 16 -no-reboot -drive"
        " -device isa-debug-exit,iobase=0x501,iosize=1"
    )
    drive = command.argv[command.argv.index("-drive") + 1]
    assert drive.endswith(",format=raw,if=ide,snapshot=on")
    assert command.deadline == 5
    # mov al,0x10; mov dx,0x501; out dx,al; hlt; jmp, then the mark that a firmware looks for
    assert len(sector) == 512
    assert sector[:9].hex() == "b010ba0105eef4ebfd"
    assert sector[9:510] == bytes(501)
    assert sector[510:] == b"\x55\xaa"


def test_a_probe_that_hangs_is_a_no(host: Host) -> None:
    assert host.choose(Probe(WorkError("did not finish within 5 s"))) is TCG


def test_without_qemu_nothing_is_remembered(host: Host) -> None:
    with pytest.raises(MissingToolError):
        host.choose(Probe(MissingToolError("qemu")))
    assert not host.remembered.exists()


@pytest.mark.parametrize("name", ["platform.release", "nixgen.vm.qemu.accel._boot_id"])
def test_another_kernel_or_boot_is_asked_again(
    host: Host, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert host.choose(Probe(33)) is KVM
    monkeypatch.setattr(name, lambda: "another")
    again = Probe(1)
    assert host.choose(again) is TCG
    assert len(again.commands) == 1


def test_an_unreadable_memory_is_asked_again(host: Host) -> None:
    host.remembered.parent.mkdir()
    host.remembered.write_text("{")
    assert host.choose(Probe(33)) is KVM
    assert json.loads(host.remembered.read_text())["kvm"] is True


def test_a_processor_without_virtualisation_is_not_asked(host: Host) -> None:
    # seen with QEMU 10: such a host runs the boot sector under kvm, and then no kernel
    (host.folder / "cpuinfo").write_text("flags\t\t: fpu sse2\n")
    probe = Probe(33)
    assert host.choose(probe) is TCG
    assert host.choose(probe, cpuinfo=host.folder / "none") is TCG
    assert probe.commands == []


def test_no_device_and_foreign_systems_need_no_probe(host: Host) -> None:
    probe = Probe(33)
    assert host.choose(probe, device=host.folder / "none") is TCG
    assert host.choose(probe, system="sparc-linux") is TCG
    assert probe.commands == []


def test_the_device_has_to_be_writable(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    monkeypatch.setattr("os.access", lambda _, mode: bool(modes.append(mode)))
    assert host.choose(Probe(33)) is TCG
    assert modes == [os.R_OK | os.W_OK]


def test_an_arm_host_trusts_its_device(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    probe = Probe(1)
    assert host.choose(probe, system="aarch64-linux") is KVM
    assert host.choose(probe, system="aarch64-linux", device=host.folder / "none") is TCG
    assert probe.commands == []


def test_an_answer_that_cannot_be_kept_is_told(host: Host) -> None:
    (host.folder / "cache").touch()
    with pytest.raises(StoreError) as caught:
        host.choose(Probe(33))
    assert caught.value.message == f"cannot write {host.remembered}: File exists"
    assert caught.value.hint == "a file is in the way where a folder should be; move it"


def test_an_unknown_boot_is_remembered_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may hide the kernel's random id of the boot."""
    real = Path.read_text

    def read_text(self: Path, *arguments: Any, **keywords: Any) -> str:
        if self.name == "boot_id":
            raise PermissionError
        return real(self, *arguments, **keywords)

    monkeypatch.setattr(Path, "read_text", read_text)
    probe = Probe(33)
    assert host.choose(probe) is host.choose(probe) is KVM
    assert len(probe.commands) == 1
    assert json.loads(host.remembered.read_text())["host"]["boot"] == ""
