"""One node as a QEMU command. Pure: every file descriptor and path is given.

The devices keep the order of docs/contracts.md §5: the closure is ``/dev/vda``, a blank disk
``/dev/vdb``, one network card per vlan in order, and the port ``nixgen.shell``. Channels are inherited
descriptors, not files: nothing to name, nothing to clean up, no limit of 107 bytes on a socket's path.
Options: qemu-system-x86_64(1) of QEMU 7.2, the oldest version this writes for.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from nixgen.errors import EngineError
from nixgen.programs.command import Command
from nixgen.vm.qemu.accel import Acceleration
from nixgen.vm.spec import NodeSpec

__all__ = ["PROGRAMS", "SHELL_PORT", "Channels", "mac_address", "qemu_command"]

SHELL_PORT = "nixgen.shell"
PROGRAMS = {"x86_64-linux": "qemu-system-x86_64", "aarch64-linux": "qemu-system-aarch64"}
_BOARDS = {"x86_64-linux": "q35", "aarch64-linux": "virt"}


@frozen(kw_only=True)
class Channels:
    """Descriptors QEMU inherits: stream sockets, and a datagram socket per network card."""

    shell: int
    qmp: int
    console: int
    networks: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return (self.shell, self.qmp, self.console, *self.networks)


def mac_address(vlan: int, number: int) -> str:
    """The NixOS test driver's numbering in QEMU's own range: node ``number`` on ``vlan``."""
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
    """The command that boots ``node``.

    :param store_image: the squashfs of the closure, shared read-only by all nodes.
    :param scratch_disk: a raw file, writable, the node's own; None for no second disk.
    :param allow_reboot: a guest that reboots starts again instead of ending QEMU.
    :raises EngineError: a system that no QEMU of ours emulates.
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
    # Without entropy a guest's first TLS handshake or sshd key may wait for minutes.
    argv += ["-device", "virtio-rng-pci", "-device", "VGA"]
    for vlan, descriptor in zip(node.vlans, channels.networks, strict=True):
        argv += ["-netdev", f"dgram,id=vlan{vlan},local.type=fd,local.str={descriptor}"]
        # No option ROM: network boot is never wanted and costs a second under emulation.
        mac = mac_address(vlan, node.number)
        argv += ["-device", f"virtio-net-pci,netdev=vlan{vlan},mac={mac},romfile="]
    if not allow_reboot:
        argv.append("-no-reboot")
    return Command(argv=tuple(argv))


def _disk(name: str, file: Path, *, writable: bool) -> list[str]:
    access = "off" if writable else "on"
    backend = (
        f"driver=raw,node-name={name},read-only={access},cache.no-flush=on",
        f"file.driver=file,file.filename={_options(str(file))}",
        # Every node reads the same image, and another run may too.
        f"file.read-only={access},file.locking=off",
    )
    return ["-blockdev", ",".join(backend), "-device", f"virtio-blk-pci,drive={name}"]


def _options(text: str) -> str:
    """A value inside QEMU's ``key=value,…`` lists, where a doubled comma is a comma."""
    return text.replace(",", ",,")
