"""The disks of a machine as the NixOS options ``boot.*``, ``fileSystems``, ``swapDevices`` and
``systemd.tmpfiles.rules``.
"""

from __future__ import annotations

import re
from typing import Any

from nixgen import syntax as nix
from nixgen.lowering.attributes import present
from nixgen.lowering.unitfile import escaped
from nixgen.models import Boot, FileSystem, Machine, TmpfilesRule
from nixgen.models.disk import ESCAPED_ARGUMENTS
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
        bindings["fileSystems", system.mount_point] = _file_system(system)
    if machine.swap:
        bindings["swapDevices",] = nix.quote([{"device": device} for device in machine.swap])
    if machine.tmpfiles:
        bindings["systemd", "tmpfiles", "rules"] = nix.List(
            nix.Mark(nix.Str(_rule(rule)), rule.origin) for rule in machine.tmpfiles
        )
    return bindings


def _boot(boot: Boot) -> dict[tuple[str, ...], Expr]:
    loaders: dict[str, dict[tuple[str, ...], Any]] = {
        "systemd-boot": {("systemd-boot", "enable"): True, ("efi", "canTouchEfiVariables"): True},
        "grub": {("grub", "enable"): True, ("grub", "device"): boot.device or "nodev"},
    }
    loader = loaders.get(boot.loader, {("grub", "enable"): False})
    return {
        **{("loader", *path): nix.quote(value) for path, value in loader.items()},
        **{("kernel", "sysctl", name): nix.quote(value) for name, value in boot.sysctl.items()},
        **present(
            {
                ("kernelParams",): boot.kernel_parameters or None,
                ("kernelModules",): boot.kernel_modules or None,
                ("initrd", "availableKernelModules"): boot.initrd_modules or None,
            }
        ),
    }


def _file_system(system: FileSystem) -> Expr:
    options = {
        "device": system.device,
        "fsType": system.fs_type,
        "options": system.options or None,
        "neededForBoot": system.needed_for_boot or None,
    }
    return nix.Mark(nix.AttrSet(present(options)), system.origin)


def _rule(rule: TmpfilesRule) -> str:
    """Write a rule as a line of tmpfiles.d(5): six words, then an argument up to the end of the
    line.
    """
    fields = [rule.type, _word(rule.path)]
    fields += [field or "-" for field in (rule.mode, rule.user, rule.group, rule.age)]
    if rule.argument is not None:
        fields.append(_argument(rule.type, rule.argument))
    while fields[-1] == "-":
        fields.pop()
    return " ".join(fields)


def _word(text: str) -> str:
    inner = escaped(text)
    return f'"{inner}"' if re.search(r"[ \"']", text) else inner


def _argument(kind: str, text: str) -> str:
    if kind[0] not in ESCAPED_ARGUMENTS:
        return text.replace("%", "%%")
    if text == "-":
        # would mean that there is no argument
        return "\\x2d"
    # a blank at either end would be skipped; of several, the outermost protects the others
    return re.sub(r"^ | $", r"\\x20", escaped(text))
