"""The disks of a machine as the NixOS options ``boot.*``, ``fileSystems``, ``swapDevices`` and
``systemd.tmpfiles.rules``.
"""

from __future__ import annotations

from nixgen import syntax as nix
from nixgen.lowering.written import Written, fstab, kernel, sysctl, tmpfiles
from nixgen.models import Boot, FileSystem, Machine, TmpfilesRule
from nixgen.models.disk import (
    ESCAPED_ARGUMENTS,
    Device,
    FileSystemType,
    KernelModule,
    KernelParameter,
    MountOption,
    MountPoint,
    SwapDevice,
    SysctlName,
    SysctlValue,
    TmpfilesAge,
    TmpfilesArgument,
    TmpfilesContent,
    TmpfilesMode,
    TmpfilesOwner,
    TmpfilesPath,
    TmpfilesType,
)
from nixgen.models.lines import FstabLine, SysctlLine, TmpfilesLine
from nixgen.syntax import Expr

__all__ = ["disks"]


def disks(machine: Machine) -> dict[tuple[str, ...], Expr]:
    """The options for the boot loader, the file systems, the swap devices and the temporary files.

    :param machine: Machine to lower.
    """
    bindings: dict[tuple[str, ...], Expr] = {}
    if machine.boot is not None:
        for path, value in _boot(machine.boot).items():
            bindings["boot", *path] = nix.Mark(value, machine.boot.origin)
    for system in machine.file_systems:
        bindings["fileSystems", MountPoint(system.mount_point)] = _file_system(system)
    if machine.swap:
        devices = (fstab.present({"device": SwapDevice(device)}) for device in machine.swap)
        bindings["swapDevices",] = nix.List(map(nix.AttrSet, devices))
    if machine.tmpfiles:
        bindings["systemd", "tmpfiles", "rules"] = nix.List(
            nix.Mark(tmpfiles(_rule(rule)), rule.origin) for rule in machine.tmpfiles
        )
    return bindings


def _boot(boot: Boot) -> dict[tuple[str, ...], Written]:
    grub_device = FstabLine.constant("nodev") if boot.device is None else Device(boot.device)
    loaders: dict[str, dict[tuple[str, ...], FstabLine | int]] = {
        "systemd-boot": {("systemd-boot", "enable"): True, ("efi", "canTouchEfiVariables"): True},
        "grub": {("grub", "enable"): True, ("grub", "device"): grub_device},
    }
    loader = loaders.get(boot.loader, {("grub", "enable"): False})
    settings: dict[tuple[str, ...], SysctlLine | int] = {
        ("kernel", "sysctl", SysctlName(name)): SysctlValue(value)
        if isinstance(value, str)
        else value
        for name, value in boot.sysctl.items()
    }
    return {
        **fstab.present({("loader", *path): value for path, value in loader.items()}),
        **sysctl.present(settings),
        **kernel.present(
            {
                ("kernelParams",): tuple(map(KernelParameter, boot.kernel_parameters)),
                ("kernelModules",): tuple(map(KernelModule, boot.kernel_modules)),
                ("initrd", "availableKernelModules"): tuple(map(KernelModule, boot.initrd_modules)),
            }
        ),
    }


def _file_system(system: FileSystem) -> Expr:
    options = fstab.present(
        {
            "device": Device(system.device),
            "fsType": FileSystemType(system.fs_type),
            "options": tuple(map(MountOption, system.options)),
            "neededForBoot": system.needed_for_boot or None,
        }
    )
    return nix.Mark(nix.AttrSet(options), system.origin)


_NOTHING = TmpfilesLine.constant("-")


def _rule(rule: TmpfilesRule) -> TmpfilesLine:
    """Write a rule as a line of tmpfiles.d(5): six words, then an argument up to the end of the
    line.
    """
    fields: list[TmpfilesLine] = [
        TmpfilesType(rule.type),
        TmpfilesPath(rule.path),
        TmpfilesMode(rule.mode) if rule.mode else _NOTHING,
        TmpfilesOwner(rule.user) if rule.user else _NOTHING,
        TmpfilesOwner(rule.group) if rule.group else _NOTHING,
        TmpfilesAge(rule.age) if rule.age else _NOTHING,
    ]
    if rule.argument is not None:
        escaped = rule.type[0] in ESCAPED_ARGUMENTS
        fields.append((TmpfilesContent if escaped else TmpfilesArgument)(rule.argument))
    while fields[-1] == "-":
        fields.pop()
    return TmpfilesLine.joined(" ", *fields)
