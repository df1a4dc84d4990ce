"""The boot, the file systems and the initial files of a machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from nixgen.models.checks import every, instance, one_line, pattern, unquoted
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, choice, dict_of, field, flag, list_of, model

__all__ = ["Boot", "FileSystem", "TmpfilesRule"]

Loader = Literal["systemd-boot", "grub", "none"]

# fstab(5): fields between blanks, in which a backslash begins an octal escape; the options of one field are between commas
_NOT = r"\s\x00-\x1f\x7f\\"
DEVICE = pattern(
    rf"/[^{_NOT}]*|[A-Za-z0-9][^{_NOT}]*|none", what="a device", example="/dev/disk/by-label/nixos"
)
MOUNT_POINT = pattern(rf"/[^{_NOT}]*", what="an absolute path", example="/var/lib/postgresql")
WORD = pattern(rf"[^{_NOT}]+", what="one word", example="ext4")
_OPTION = pattern(
    rf"""([^{_NOT}",]|"[^{_NOT}"]*")+""",
    what="one mount option",
    example='noatime; give each as an item of its own, and quote a value with commas: context="a,b"',
)
# The kernel splits its command line at blanks and joins it between quotes (lib/cmdline.c). Its isspace reads Latin-1, in
# which the second byte of à is a blank; so all is ASCII.
_PARAMETER = pattern(
    r"""[!#-&(-\[\]-~]+""",
    what="a word of the kernel's command line",
    example="panic=5",
    allowed="printable ASCII without blanks, quotes and backslashes",
)
_MODULE = pattern(r"[A-Za-z0-9_-]+", what="a kernel module", example="virtio_net")
# sysctl.d(5)
_SYSCTL = pattern(
    r"[A-Za-z0-9_*][A-Za-z0-9_*./-]*", what="a kernel setting", example="net.ipv4.ip_forward"
)
_SYSCTL_VALUE = every(
    instance(str, int, bool, what="text, a number, True or False"),
    lambda value: unquoted("a file of sysctl.d")(value) if isinstance(value, str) else (),
)


_TMPFILES = one_line("a file of tmpfiles.d")
ESCAPED_ARGUMENTS = "fwLC"
"""First letters of the types of tmpfiles.d(5) whose argument may have C-style escapes. In others a backslash is a
backslash.
"""


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

    mount_point: str = field(MOUNT_POINT, kw_only=False)
    device: str = field(DEVICE)
    fs_type: str = field(WORD, default="ext4")
    options: ListOf[str] = list_of(_OPTION, default=())
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
    device: str | None = field(DEVICE, default=None)
    kernel_parameters: ListOf[str] = list_of(_PARAMETER, default=())
    kernel_modules: ListOf[str] = list_of(_MODULE, default=())
    initrd_modules: ListOf[str] = list_of(_MODULE, default=())
    sysctl: Mapping[str, str | int | bool] = dict_of(_SYSCTL, _SYSCTL_VALUE, default={})

    def faults(self) -> Iterator[Fault]:
        if self.loader == "grub" and self.device is None:
            yield ".device", "is missing: grub is installed on a disk", "for example /dev/vda"
        if self.loader != "grub" and self.device is not None:
            yield ".device", f"has no effect with the loader {self.loader}", "leave it out"


# tmpfiles.d(5)
_TYPE = pattern(
    r"[fdDveqQpLcbCxXrRzZtThHaA][+!=~^$?-]*",
    what="a type of tmpfiles.d(5)",
    example="d for a folder, L+ for a link",
)
_MODE = pattern(r"[~:]{0,2}[0-7]{3,4}", what="a mode", example="0755")
_OWNER = pattern(r":?[a-z_][a-z0-9_-]{0,31}|:?[0-9]{1,10}", what="a user or group", example="nginx")
_AGE = pattern(r"[~A-Za-z0-9:]*[0-9a-z]", what="an age", example="10d; older files are removed")


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

    path: str = field(
        every(pattern(r"(?s:/.*)", what="an absolute path", example="/srv/uploads"), _TMPFILES),
        kw_only=False,
    )
    type: str = field(_TYPE, default="d")
    mode: str | None = field(_MODE, default=None)
    user: str | None = field(_OWNER, default=None)
    group: str | None = field(_OWNER, default=None)
    age: str | None = field(_AGE, default=None)
    argument: str | None = field(_TMPFILES, default=None)

    def faults(self) -> Iterator[Fault]:
        argument = self.argument
        if (
            isinstance(argument, str)
            and self.type[:1] not in ESCAPED_ARGUMENTS
            and argument != argument.strip()
        ):
            message = "begins or ends with a blank, which would be lost in a file of tmpfiles.d"
            yield ".argument", message, "take it out"
