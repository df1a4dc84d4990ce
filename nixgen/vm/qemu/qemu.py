"""The QEMU command of a machine, as a value.

The devices have the order of docs/contracts.md §5: the closure is ``/dev/vda``, a blank disk
``/dev/vdb``; then come one network card for each vlan, and the port ``nixgen.shell``. Channels are
inherited descriptors, not files, so there is nothing to name and to remove, and no limit of 107 bytes
for the path of a socket. Options: qemu-system-x86_64(1) of QEMU 7.2, the oldest supported version.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from nixgen.errors import EngineError
from nixgen.programs.command import Command
from nixgen.vm.qemu.accel import Acceleration
from nixgen.vm.spec import NodeSpec

__all__ = ["PROGRAMS", "SECRETS_FILE", "SHELL_PORT", "Channels", "mac_address", "qemu_command"]

SHELL_PORT = "nixgen.shell"
SECRETS_FILE = "opt/nixgen/secrets"
"""Name of the fw_cfg file with the secrets of a machine (docs/specs/fw_cfg.rst of QEMU)."""
PROGRAMS = {"x86_64-linux": "qemu-system-x86_64", "aarch64-linux": "qemu-system-aarch64"}
_BOARDS = {"x86_64-linux": "q35", "aarch64-linux": "virt"}


@frozen(kw_only=True)
class Channels:
    """The descriptors that QEMU inherits.

    :param shell: stream socket of the root shell.
    :param qmp: stream socket of QEMU's monitor.
    :param console: stream socket of the serial console.
    :param networks: a datagram socket for each network card.
    :param secrets: a file with the secrets of the machine, in memory. None for a machine without
        secrets.
    """

    shell: int
    qmp: int
    console: int
    networks: tuple[int, ...]
    secrets: int | None = None

    @property
    def all(self) -> tuple[int, ...]:
        """All descriptors."""
        secrets = () if self.secrets is None else (self.secrets,)
        return (self.shell, self.qmp, self.console, *self.networks, *secrets)


def mac_address(vlan: int, number: int) -> str:
    """The address of a network card: numbered as in the NixOS test driver, in QEMU's own range.

    :param vlan: number of the network.
    :param number: of the machine, from 1.
    """
    return f"52:54:00:12:{vlan:02x}:{number:02x}"


def qemu_command(
    node: NodeSpec,
    *,
    system: str,
    acceleration: Acceleration,
    store_image: Path,
    scratch_disk: Path | None,
    channels: Channels,
    allow_reboot: bool = False,
) -> Command:
    """The command that boots a machine.

    :param node: the machine.
    :param system: Nix's name of its platform.
    :param acceleration: how QEMU runs the guest's code.
    :param store_image: the squashfs of the closure, shared read-only by all machines.
    :param scratch_disk: the machine's own disk, a raw file; None for no second disk.
    :param channels: the descriptors that QEMU inherits.
    :param allow_reboot: a guest that reboots starts again, instead of ending QEMU.
    :raises EngineError: no QEMU for ``system`` is supported.
    """
    if system not in PROGRAMS:
        raise EngineError(
            f"machine tests cannot boot {system}",
            hint=f"supported systems: {', '.join(sorted(PROGRAMS))}",
        )
    cmdline = f"{node.cmdline} nixgen.toplevel={node.toplevel} nixgen.shell=1".strip()
    argv = [
        PROGRAMS[system],
        *("-name", _options(node.name)),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        *("-machine", _BOARDS[system]),
        *acceleration.arguments,
        *("-smp", str(node.cores), "-m", str(node.memory)),
        *("-kernel", str(node.kernel), "-initrd", str(node.initrd), "-append", cmdline),
        *("-chardev", f"socket,id=console,fd={channels.console}", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={channels.qmp}", "-mon", "chardev=qmp,mode=control"),
        *_disk("store", store_image, writable=False),
    ]
    if scratch_disk is not None:
        argv += _disk("scratch", scratch_disk, writable=True)
    argv += ["-device", "virtio-serial-pci", "-chardev", f"socket,id=shell,fd={channels.shell}"]
    argv += ["-device", f"virtserialport,chardev=shell,name={SHELL_PORT}"]
    # Without entropy, the first TLS handshake or sshd key of a guest may take minutes.
    argv += ["-device", "virtio-rng-pci", "-device", "VGA"]
    for vlan, descriptor in zip(node.vlans, channels.networks, strict=True):
        argv += ["-netdev", f"dgram,id=vlan{vlan},local.type=fd,local.str={descriptor}"]
        # No option ROM: nothing boots from the network, and the ROM takes a second under emulation.
        mac = mac_address(vlan, node.number)
        argv += ["-device", f"virtio-net-pci,netdev=vlan{vlan},mac={mac},romfile="]
    if channels.secrets is not None:
        argv += ["-fw_cfg", f"name={SECRETS_FILE},file=/dev/fd/{channels.secrets}"]
    if not allow_reboot:
        argv.append("-no-reboot")
    return Command(argv=tuple(argv))


def _disk(name: str, file: Path, *, writable: bool) -> list[str]:
    access = "off" if writable else "on"
    backend = (
        f"driver=raw,node-name={name},read-only={access},cache.no-flush=on",
        f"file.driver=file,file.filename={_options(str(file))}",
        # All machines read the same image, and another run may read it at the same time.
        f"file.read-only={access},file.locking=off",
    )
    return ["-blockdev", ",".join(backend), "-device", f"virtio-blk-pci,drive={name}"]


def _options(text: str) -> str:
    """A value inside QEMU's ``key=value,…`` lists, where a doubled comma is a comma."""
    return text.replace(",", ",,")
