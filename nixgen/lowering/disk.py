"""The disks of a machine as the NixOS options ``boot.*``, ``fileSystems``, ``swapDevices`` and
``systemd.tmpfiles.rules``.
"""

from __future__ import annotations

import re

from nixgen import syntax as nix
from nixgen.lowering.scope import strings
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
        bindings["swapDevices",] = nix.List(
            tuple(nix.AttrSet({"device": nix.Str(device)}) for device in machine.swap)
        )
    if machine.tmpfiles:
        bindings["systemd", "tmpfiles", "rules"] = nix.List(
            tuple(nix.Mark(nix.Str(_rule(rule)), rule.origin) for rule in machine.tmpfiles)
        )
    return bindings


def _boot(boot: Boot) -> dict[tuple[str, ...], Expr]:
    bindings: dict[tuple[str, ...], Expr] = {}
    match boot.loader:
        case "systemd-boot":
            bindings["loader", "systemd-boot", "enable"] = nix.Bool(True)
            bindings["loader", "efi", "canTouchEfiVariables"] = nix.Bool(True)
        case "grub":
            bindings["loader", "grub", "enable"] = nix.Bool(True)
            bindings["loader", "grub", "device"] = nix.Str(boot.device or "nodev")
        case _:
            bindings["loader", "grub", "enable"] = nix.Bool(False)
    for path, words in (
        (("kernelParams",), boot.kernel_parameters),
        (("kernelModules",), boot.kernel_modules),
        (("initrd", "availableKernelModules"), boot.initrd_modules),
    ):
        if words:
            bindings[path] = strings(words)
    for name, setting in boot.sysctl.items():
        bindings["kernel", "sysctl", name] = nix.quote(setting)
    return bindings


def _file_system(system: FileSystem) -> Expr:
    bindings: dict[str, Expr] = {
        "device": nix.Str(system.device),
        "fsType": nix.Str(system.fs_type),
    }
    if system.options:
        bindings["options"] = strings(system.options)
    if system.needed_for_boot:
        bindings["neededForBoot"] = nix.Bool(True)
    return nix.Mark(nix.AttrSet(bindings), system.origin)


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
    escaped = _escaped(text)
    return f'"{escaped}"' if re.search(r"[ \"']", text) else escaped


def _argument(kind: str, text: str) -> str:
    if kind[0] not in ESCAPED_ARGUMENTS:
        return text.replace("%", "%%")
    if text == "-":
        # would mean that there is no argument
        return "\\x2d"
    # a blank at either end would be skipped; of several, the outermost protects the others
    return re.sub(r"^ | $", r"\\x20", _escaped(text))


def _escaped(text: str) -> str:
    """Escape percent signs, which begin a specifier, and backslashes, which begin an escape."""
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


_SPECIAL = re.compile(r'[\0-\x1f\\"%]')
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "%": "%%"}
