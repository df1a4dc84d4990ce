"""Finds out whether KVM works on this computer.

A host without nested virtualisation may have ``/dev/kvm``. It opens, and even creates a machine, but
then it runs nothing, or runs a boot sector and no kernel. So the processor must list the extension,
and a boot sector that makes QEMU exit is booted once; the result is kept.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from nixgen.errors import StoreError, WorkError
from nixgen.files.write import write_atomically
from nixgen.programs.command import Command
from nixgen.programs.runner import Runner
from nixgen.records.format import Format

__all__ = ["KVM", "TCG", "Acceleration", "choose_acceleration", "virtualises"]


@frozen(kw_only=True)
class Acceleration:
    """A way for QEMU to run the guest's code.

    :param name: for people.
    :param arguments: for QEMU.
    :param patience: factor for the times that are waited for a machine.
    """

    name: str
    arguments: tuple[str, ...]
    patience: float


KVM = Acceleration(name="kvm", arguments=("-accel", "kvm", "-cpu", "host"), patience=1.0)
TCG = Acceleration(
    name="tcg", arguments=("-accel", "tcg,thread=multi", "-cpu", "max"), patience=4.0
)


@frozen(kw_only=True)
class _Answer:
    """The result of the probe.

    :param host: everything that the result depends on.
    """

    host: Mapping[str, str | int]
    kvm: bool


_ANSWER = Format(
    schema="nixgen/acceleration/1",
    shape=_Answer,
    error=StoreError,
    hint="delete it; the probe runs again",
)

# mov al,0x10; mov dx,0x501; out dx,al; hlt; jmp $-1 — and the mark of a boot sector. The write to the
# port of QEMU's isa-debug-exit ends the emulator with status (0x10 << 1) | 1.
_BOOT_SECTOR = bytes.fromhex("b010ba0105eef4ebfd").ljust(510, b"\0") + b"\x55\xaa"
_BOOTED = (0x10 << 1) | 1
_PROBE_SECONDS = 5.0


def choose_acceleration(
    runner: Runner,
    *,
    system: str,
    cache_dir: Path,
    device: Path = Path("/dev/kvm"),
    cpuinfo: Path = Path("/proc/cpuinfo"),
) -> Acceleration:
    """Choose KVM if a guest boots under it, else QEMU's own emulation.

    :param runner: runs the probe.
    :param system: Nix's name of the guest's platform, such as ``x86_64-linux``.
    :param cache_dir: keeps the result until the host's kernel changes, or the host boots again.
    :param device: of KVM.
    :param cpuinfo: the kernel's description of the processors.
    :raises MissingToolError: QEMU is not installed.
    :raises StoreError: the result cannot be written.
    """
    if system != f"{platform.machine()}-linux" or not os.access(device, os.R_OK | os.W_OK):
        return TCG
    if system != "x86_64-linux":
        return KVM  # the probe is an x86 boot sector; elsewhere an openable device has to do
    if not virtualises(cpuinfo):
        return TCG
    file = cache_dir / "acceleration.json"
    host: dict[str, str | int] = {
        "kernel": platform.release(),
        "boot": _boot_id(),
        "device": device.stat().st_rdev,
    }
    known = _ANSWER.find(file)
    if known is None or known.host != host:
        known = _Answer(host=host, kvm=_boots(runner))
        write_atomically(file, _ANSWER.text(known).encode())
    return KVM if known.kvm else TCG


def virtualises(cpuinfo: Path) -> bool:
    """Whether the processor has Intel's or AMD's extensions, as KVM on x86 needs them.

    :param cpuinfo: the kernel's list of processors, usually ``/proc/cpuinfo``.
    """
    try:
        return bool({"vmx", "svm"} & set(cpuinfo.read_text().split()))
    except OSError:
        return False


def _boots(runner: Runner) -> bool:
    with tempfile.NamedTemporaryFile(prefix="nixgen-probe-") as sector:
        sector.write(_BOOT_SECTOR)
        sector.flush()
        command = Command(
            argv=(
                *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
                *("-machine", "pc", *KVM.arguments, "-m", "16", "-no-reboot"),
                *("-drive", f"file={sector.name},format=raw,if=ide,snapshot=on"),
                *("-device", "isa-debug-exit,iobase=0x501,iosize=1"),
            ),
            deadline=_PROBE_SECONDS,
        )
        try:
            return runner.run(command).status == _BOOTED
        except WorkError:  # the deadline passed: nothing ran
            return False


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
