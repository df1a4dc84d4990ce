"""The boot, the file systems and the initial files of a machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from nixgen.models.checks import every, instance, one_line, pattern, unquoted
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, choice, dict_of, field, flag, list_of, model
from nixgen.models.lines import (
    FstabLine,
    KernelLine,
    SysctlLine,
    TmpfilesLine,
    absolute_path,
    c_escaped,
    without_parents,
    without_specifiers,
)

__all__ = ["Boot", "FileSystem", "TmpfilesRule"]

Loader = Literal["systemd-boot", "grub", "none"]

# fstab(5): fields between blanks, in which a backslash begins an octal escape; the options of one field are between commas
_NOT = r"\s\x00-\x1f\x7f\\"


class Device(
    FstabLine,
    check=pattern(
        rf"/[^{_NOT}]*|[A-Za-z0-9][^{_NOT}]*|none",
        what="a device",
        example="/dev/disk/by-label/nixos",
    ),
):
    """A device or the name of a file system without one."""

    __slots__ = ()


class SwapDevice(
    FstabLine,
    check=pattern(rf"/[^{_NOT}]+", what="a device or file", example="/dev/disk/by-label/swap"),
):
    """A device or file that the kernel swaps to."""

    __slots__ = ()


class MountPoint(
    FstabLine,
    check=every(
        pattern(rf"/[^{_NOT}]*", what="an absolute path", example="/var/lib/postgresql"),
        without_parents("fstab"),
    ),
):
    """The path at which a file system is mounted."""

    __slots__ = ()


class FileSystemType(
    FstabLine, check=pattern(r"[A-Za-z0-9_.-]+", what="a type of file system", example="ext4")
):
    """The type of a file system."""

    __slots__ = ()


class MountOption(
    FstabLine,
    check=pattern(
        rf"""([^{_NOT}",]|"[^{_NOT}"]*")+""",
        what="one mount option",
        example='noatime; give each as an item of its own, and quote a value with commas: context="a,b"',
    ),
):
    """One option of mount(8)."""

    __slots__ = ()


# The kernel splits its command line at blanks and joins it between quotes (lib/cmdline.c). Its isspace reads Latin-1, in
# which the second byte of à is a blank; so all is ASCII.
class KernelParameter(
    KernelLine,
    check=pattern(
        r"""[!#-&(-\[\]-~]+""",
        what="a word of the kernel's command line",
        example="panic=5",
        allowed="printable ASCII without blanks, quotes and backslashes",
    ),
):
    """A word of the kernel's command line."""

    __slots__ = ()


class KernelModule(
    KernelLine, check=pattern(r"[A-Za-z0-9_-]+", what="a kernel module", example="virtio_net")
):
    """The name of a kernel module."""

    __slots__ = ()


# sysctl.d(5); dots and slashes are separators
class SysctlName(
    SysctlLine,
    check=pattern(
        r"[A-Za-z0-9_*][A-Za-z0-9_*-]*([./][A-Za-z0-9_*-]+)*",
        what="a kernel setting",
        example="net.ipv4.ip_forward",
    ),
):
    """The name of a kernel setting, a path below /proc/sys."""

    __slots__ = ()


class SysctlValue(SysctlLine, check=unquoted("a file of sysctl.d")):
    """The value of a kernel setting."""

    __slots__ = ()


_TMPFILES = "a file of tmpfiles.d"
# tmpfiles.d(5), "Type" and "Argument"
ESCAPED_ARGUMENTS = "fwLC"
"""First letters of the types of tmpfiles.d(5) whose argument may have C-style escapes. In others a backslash is a
backslash.
"""


def _tmpfiles_word(text: str) -> str:
    # a backslash takes the meaning of the next character, and makes no other: of a backslash and a t, systemd 252 reads the t
    inner = re.sub(r'["\\]', r"\\\g<0>", without_specifiers(text))
    return f'"{inner}"' if re.search(r"[ \t\"']", text) else inner


def _tmpfiles_content(text: str) -> str:
    if text == "-":
        # would mean that there is no argument
        return "\\x2d"
    # a blank at either end would be skipped; of several, the outermost protects the others
    return re.sub(r"^ | $", r"\\x20", c_escaped(text))


class TmpfilesPath(
    TmpfilesLine,
    check=every(absolute_path("/srv/uploads"), one_line(_TMPFILES), without_parents(_TMPFILES)),
    escape=_tmpfiles_word,
):
    """The path of a rule, in quotes where it needs them."""

    __slots__ = ()


class TmpfilesType(
    TmpfilesLine,
    check=pattern(
        r"[fdDveqQpLcbCxXrRzZtThHaA][+!=~^$?-]*",
        what="a type of tmpfiles.d(5)",
        example="d for a folder, L+ for a link",
    ),
):
    """The type of a rule."""

    __slots__ = ()


class TmpfilesMode(
    TmpfilesLine, check=pattern(r"[~:]{0,2}[0-7]{3,4}", what="a mode", example="0755")
):
    """The access mode of a rule."""

    __slots__ = ()


class TmpfilesOwner(
    TmpfilesLine,
    check=pattern(
        r":?[a-z_][a-z0-9_-]{0,31}|:?[0-9]{1,10}", what="a user or group", example="nginx"
    ),
):
    """The owner or the group of a rule."""

    __slots__ = ()


class TmpfilesAge(
    TmpfilesLine,
    check=pattern(r"[~A-Za-z0-9:]*[0-9a-z]", what="an age", example="10d; older files are removed"),
):
    """The age of a rule."""

    __slots__ = ()


class TmpfilesArgument(TmpfilesLine, check=one_line(_TMPFILES), escape=without_specifiers):
    """The argument of a rule, the rest of its line."""

    __slots__ = ()


class TmpfilesContent(TmpfilesArgument, check=one_line(_TMPFILES), escape=_tmpfiles_content):
    """The argument of a rule of one of the types `ESCAPED_ARGUMENTS`."""

    __slots__ = ()


def _sysctl_value(value: Any) -> Iterable[Fault]:
    known = isinstance(value, (int, bool)) and not isinstance(value, str)
    return () if known else _TEXT_OR_NUMBER(value) or SysctlValue.check(value)


_TEXT_OR_NUMBER = instance(str, int, bool, what="text, a number, True or False")


@model
class FileSystem(Model):
    """A file system of a real machine. A virtual machine in tests has its own root instead, as in
    NixOS.

    :param mount_point: Absolute path at which the file system is mounted.
    :param device: Device to mount. A label or UUID below /dev/disk is best, because it survives
        another order of disks.
    :param fs_type: Type of the file system; ``ext4`` unless given.
    :param options: Mount options, as in mount(8).
    :param needed_for_boot: True when the file system is mounted before any service of the system
        starts. False is the default.
    """

    mount_point: str = field(MountPoint, kw_only=False)
    device: str = field(Device)
    fs_type: str = field(FileSystemType, default="ext4")
    options: ListOf[str] = list_of(MountOption, default=())
    needed_for_boot: bool = flag(default=False)


@model
class Boot(Model):
    """The start of a machine. The loader and its device are for real machines; the other fields
    hold for virtual machines as well.

    :param loader: Boot loader: ``systemd-boot`` on UEFI, ``grub`` on BIOS, or ``none`` (the
        default) where something else starts the kernel.
    :param device: Disk that grub is installed on, such as ``/dev/vda``. Required for grub, and
        refused for any other loader.
    :param kernel_parameters: Words of the kernel's command line.
    :param kernel_modules: Kernel modules that are loaded at boot.
    :param initrd_modules: Kernel modules that are available before the root is mounted, such as
        drivers of its disk.
    :param sysctl: Settings of the running kernel by name, such as ``net.ipv4.ip_forward``
        (sysctl.d(5)).
    """

    loader: Loader = choice(Loader, default="none")
    device: str | None = field(Device, default=None)
    kernel_parameters: ListOf[str] = list_of(KernelParameter, default=())
    kernel_modules: ListOf[str] = list_of(KernelModule, default=())
    initrd_modules: ListOf[str] = list_of(KernelModule, default=())
    sysctl: Mapping[str, str | int | bool] = dict_of(
        SysctlName, _sysctl_value, default={}, lines=(SysctlValue,)
    )

    def faults(self) -> Iterator[Fault]:
        if self.loader == "grub" and self.device is None:
            yield ".device", "is missing: grub is installed on a disk", "for example /dev/vda"
        if self.loader != "grub" and self.device is not None:
            yield ".device", f"has no effect with the loader {self.loader}", "leave it out"
        if self.loader == "grub":
            for index, word in enumerate(self.kernel_parameters):
                found = _GRUB.search(word)
                if found:
                    message = f"contains {found[0]!r}, which the script of grub gives a meaning"
                    hint = "use another loader, or leave the parameter out"
                    yield f".kernel_parameters[{index}]", message, hint


# GRUB manual, "Shell-like scripting"; NixOS puts the words into grub.cfg as they are
_GRUB = re.compile(r"[{}|&$;<>`#]")


@model
class TmpfilesRule(Model):
    """A folder, file or link that is made at boot (tmpfiles.d(5)).

    :param path: Absolute path of the folder, file or link.
    :param type: Type of the rule: ``d`` (the default) makes a folder, ``f`` a file that contains
        ``argument``, and ``L+`` a link to ``argument``. tmpfiles.d(5) lists the others.
    :param mode: Access mode in octal digits, such as ``0755``. None (the default) leaves the choice
        to tmpfiles.d(5).
    :param user: Owner, by name or uid. None (the default) leaves the choice to tmpfiles.d(5).
    :param group: Owning group, by name or gid. None (the default) leaves the choice to
        tmpfiles.d(5).
    :param age: Age after which files inside the folder are removed, such as ``10d``. None (the
        default) removes nothing.
    :param argument: Argument of the type: the content of a file, or the target of a link.
    """

    path: str = field(TmpfilesPath, kw_only=False)
    type: str = field(TmpfilesType, default="d")
    mode: str | None = field(TmpfilesMode, default=None)
    user: str | None = field(TmpfilesOwner, default=None)
    group: str | None = field(TmpfilesOwner, default=None)
    age: str | None = field(TmpfilesAge, default=None)
    argument: str | None = field(
        TmpfilesArgument, default=None, lines=(TmpfilesArgument, TmpfilesContent)
    )

    def faults(self) -> Iterator[Fault]:
        argument = self.argument
        if (
            isinstance(argument, str)
            and self.type[:1] not in ESCAPED_ARGUMENTS
            and argument != argument.strip()
        ):
            message = "begins or ends with a blank, which would be lost in a file of tmpfiles.d"
            yield ".argument", message, "take it out"
