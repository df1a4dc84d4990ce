"""Machines: computers, real or virtual, and everything on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from nixgen.models.checks import LABEL, LABEL_RULE, pattern, repeated, whole_number
from nixgen.models.core import Fault, Model
from nixgen.models.disk import Boot, FileSystem, SwapDevice, TmpfilesRule
from nixgen.models.ec2 import Ec2
from nixgen.models.fields import ListOf, choice, dict_of, field, list_of, model
from nixgen.models.files import ConfigFile, Package
from nixgen.models.lines import Name, NetworkLine, PlainText, UnitLine
from nixgen.models.network import Network
from nixgen.models.nixos import NixModule, as_options, option_values
from nixgen.models.service import Service, User

__all__ = ["Machine"]


# RFC 1123 host label; also what a test script can name as a Python variable after - becomes _
class HostName(
    Name,
    NetworkLine,
    UnitLine,
    check=pattern(LABEL, what="a host name", example="web or db-1", allowed=LABEL_RULE),
):
    """The name of a machine."""

    __slots__ = ()


class EtcPath(
    Name,
    check=pattern(
        r"(?!\.{1,2}(/|$))[A-Za-z0-9_.@+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.@+-]+)*",
        what="a path below /etc",
        example="motd or ssh/banner",
    ),
):
    """The path of a file below /etc."""

    __slots__ = ()


System = Literal["x86_64-linux", "aarch64-linux"]


@model
class Machine(Model):
    """A computer that runs services.

    :param name: Host name of the machine, such as ``web`` or ``db-1``.
    :param services: Services that run on the machine.
    :param packages: Packages whose programs are on the PATH of every user.
    :param users: Users of the machine, beside those that its services run as.
    :param files: Files below /etc by their path there: ``{"motd": ConfigFile(…)}``.
    :param tmpfiles: Folders, files and links that are made at boot.
    :param network: Network settings. None (the default) leaves them to the platform.
    :param boot: Boot loader and kernel settings. None (the default) leaves them to the platform.
    :param file_systems: File systems of a real machine, each with its own mount point. Virtual
        machines in tests ignore them.
    :param swap: Absolute paths of the swap devices and swap files of a real machine. Virtual
        machines in tests ignore them.
    :param options: NixOS options by path, for settings that nixgen has no field for:
        ``{"services.postgresql.enable": True}``. The Debian base has the options of
        docs/contracts.md §2.
    :param modules: NixOS modules, written by hand.
    :param ec2: EC2 instance that the machine runs on. None (the default) when it is not on EC2.
    :param system: System of the machine: ``x86_64-linux`` (the default) or ``aarch64-linux``.
    :param memory: MiB of its virtual machine in tests, 512 unless given.
    :param cores: Number of processor cores of its virtual machine in tests, 1 unless given.
    :param disk: MiB of the disk of its virtual machine in tests, 1024 unless given.
    """

    addressed_by_name = True

    name: str = field(HostName, kw_only=False)
    services: ListOf[Service] = list_of(Service, default=())
    packages: ListOf[Package] = list_of(Package, default=())
    users: ListOf[User] = list_of(User, default=())
    files: Mapping[str, ConfigFile] = dict_of(EtcPath, ConfigFile, default={})
    tmpfiles: ListOf[TmpfilesRule] = list_of(TmpfilesRule, default=())
    network: Network | None = field(Network, default=None)
    boot: Boot | None = field(Boot, default=None)
    file_systems: ListOf[FileSystem] = list_of(FileSystem, default=())
    swap: ListOf[str] = list_of(SwapDevice, default=())
    options: Mapping[str, Any] = field(
        option_values, default={}, convert=as_options, lines=(PlainText,)
    )
    modules: ListOf[NixModule] = list_of(NixModule, default=())
    ec2: Ec2 | None = field(Ec2, default=None)
    system: System = choice(System, default="x86_64-linux")
    memory: int = field(whole_number(128, 2**20), default=512)
    cores: int = field(whole_number(1, 256), default=1)
    disk: int = field(whole_number(64, 2**24), default=1024)

    def faults(self) -> Iterator[Fault]:
        for index, first, path in repeated(each.mount_point for each in self.file_systems):
            message = f"{path} is also where file_systems[{first}] is mounted"
            yield f".file_systems[{index}].mount_point", message, None
