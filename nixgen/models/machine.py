"""Machines: computers, real or virtual, and everything on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import attrs

from nixgen.models.checks import (
    LABEL,
    LABEL_RULE,
    Many,
    as_strings,
    as_tuple,
    checked,
    each,
    instance,
    mapping,
    models,
    one_of,
    optional_model,
    pattern,
    whole_number,
)
from nixgen.models.core import Fault, Model
from nixgen.models.disk import Boot, FileSystem, TmpfilesRule, as_file_systems, as_tmpfiles
from nixgen.models.ec2 import Ec2
from nixgen.models.files import ConfigFile, Package, as_config_files, as_packages, package_list
from nixgen.models.network import Network
from nixgen.models.nixos import NixModule, as_modules, as_options, option_values
from nixgen.models.service import Service, User, as_services, as_users

__all__ = ["Machine", "module_list"]

# RFC 1123 host label; also what a test script can name as a Python variable after - becomes _
_HOST = pattern(LABEL, what="a host name", example="web or db-1", allowed=LABEL_RULE)
_ETC = pattern(
    r"(?!\.{1,2}(/|$))[A-Za-z0-9_.@+-]+(/(?!\.{1,2}(/|$))[A-Za-z0-9_.@+-]+)*",
    what="a path below /etc",
    example="motd or ssh/banner",
)
_DEVICE = pattern(r"/[^\0\s]+", what="a device or file", example="/dev/disk/by-label/swap")
System = Literal["x86_64-linux", "aarch64-linux"]

module_list = each(instance(NixModule, what="a NixModule"))


@attrs.frozen(eq=False)
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

    addressed_by_name: ClassVar[bool] = True

    name: str = attrs.field(metadata=checked(_HOST))
    services: tuple[Service, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_services,
        metadata=models(Service),
    )
    packages: tuple[Package, ...] = attrs.field(
        default=(), kw_only=True, converter=as_packages, metadata=checked(package_list)
    )
    users: tuple[User, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_users,
        metadata=models(User),
    )
    files: Mapping[str, ConfigFile] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=as_config_files,
        metadata=checked(mapping(_ETC, instance(ConfigFile, what="a ConfigFile"))),
    )
    tmpfiles: tuple[TmpfilesRule, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_tmpfiles,
        metadata=models(TmpfilesRule),
    )
    network: Network | None = attrs.field(
        default=None, kw_only=True, metadata=optional_model(Network)
    )
    boot: Boot | None = attrs.field(default=None, kw_only=True, metadata=optional_model(Boot))
    file_systems: tuple[FileSystem, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=as_file_systems,
        metadata=models(FileSystem),
    )
    swap: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_DEVICE))
    )
    options: Mapping[str, Any] = attrs.field(
        factory=dict, kw_only=True, converter=as_options, metadata=checked(option_values)
    )
    modules: tuple[NixModule, ...] = attrs.field(
        default=(), kw_only=True, converter=as_modules, metadata=checked(module_list)
    )
    ec2: Ec2 | None = attrs.field(default=None, kw_only=True, metadata=optional_model(Ec2))
    system: System = attrs.field(
        default="x86_64-linux",
        kw_only=True,
        metadata=checked(one_of(System)),
    )
    memory: int = attrs.field(default=512, kw_only=True, metadata=checked(whole_number(128, 2**20)))
    cores: int = attrs.field(default=1, kw_only=True, metadata=checked(whole_number(1, 256)))
    disk: int = attrs.field(default=1024, kw_only=True, metadata=checked(whole_number(64, 2**24)))

    def faults(self) -> Iterator[Fault]:
        first: dict[str, int] = {}
        for index, system in enumerate(self.file_systems):
            if first.setdefault(system.mount_point, index) != index:
                yield (
                    f".file_systems[{index}].mount_point",
                    f"{system.mount_point} is also where file_systems[{first[system.mount_point]}] is mounted",
                    None,
                )


def as_machines(value: Many[Machine]) -> tuple[Machine, ...]:
    return as_tuple(value)
