"""The systemd sandbox of a service. Everything is closed unless a field opens it on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from nixgen.models.checks import pattern
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, choice, flag, list_of, model
from nixgen.models.lines import PathWord, UnitWord

__all__ = ["Hardening"]

FileSystemAccess = Literal["strict", "full", "system", "open"]


class Capability(
    UnitWord, check=pattern(r"CAP_[A-Z][A-Z0-9_]*", what="a capability", example="CAP_NET_ADMIN")
):
    """The name of a capability (capabilities(7))."""

    __slots__ = ()


# address_families(7)
class AddressFamily(
    UnitWord, check=pattern(r"AF_[A-Z][A-Z0-9_]*", what="an address family", example="AF_PACKET")
):
    """The name of a family of sockets."""

    __slots__ = ()


# systemd.exec(5), SystemCallFilter=
class SystemCall(
    UnitWord,
    check=pattern(
        r"~?(@[a-z][a-z-]*|[a-z_][a-z0-9_]*)",
        what="a system call or a group of them",
        example="@mount, or ~ptrace to forbid it",
    ),
):
    """The name of a system call, or of a group of them, with ``~`` before what is forbidden."""

    __slots__ = ()


@model
class Hardening(Model):
    """The sandbox of a service (systemd.exec(5)). Each field opens or closes one thing;
    `Hardening.off` opens everything.

    :param filesystem: Part of the file system that the service can write. ``strict`` (the default):
        only /dev, /proc, /sys, its own directories and ``writable``. ``full``: all but /usr, /boot
        and /etc. ``system``: all but /usr and /boot. ``open``: everything that its user may write.
    :param writable: Absolute paths that the service can write in spite of ``filesystem``. Refused
        with ``open``, where they would change nothing.
    :param home: True when the service sees /home, /root and /run/user. False is the default.
    :param devices: True when the service sees all devices. False (the default) leaves /dev/null and
        similar pseudo devices.
    :param shared_tmp: True when the service shares /tmp and /var/tmp with others. False (the
        default) gives it its own.
    :param capabilities: Capabilities of root that the service has, such as ``CAP_NET_ADMIN``.
        Binding its own ports below 1024 needs none. When empty (the default), a service that runs
        as root keeps all capabilities.
    :param new_privileges: True when programs that the service runs can gain rights, as with setuid.
        False is the default.
    :param kernel: True when the service can change the kernel's settings, modules, log, clock and
        control groups, and the host's name. False is the default.
    :param namespaces: True when the service can make namespaces, as container engines do. False is
        the default.
    :param realtime: True when the service may ask for realtime scheduling. False is the default.
    :param write_execute: True (the default) when memory can be written and then executed, as
        just-in-time compilers need.
    :param address_families: Socket families that the service can open (address_families(7)); IPv4,
        IPv6, netlink and Unix sockets unless given. Empty means any family.
    :param system_calls: System calls, or groups of them, that the service may use; ``~`` before a
        name forbids it. ``@system-service`` unless given. Empty means any call.
    """

    filesystem: FileSystemAccess = choice(FileSystemAccess, default="strict")
    writable: ListOf[str] = list_of(PathWord, default=())
    home: bool = flag(default=False)
    devices: bool = flag(default=False)
    shared_tmp: bool = flag(default=False)
    capabilities: ListOf[str] = list_of(Capability, default=())
    new_privileges: bool = flag(default=False)
    kernel: bool = flag(default=False)
    namespaces: bool = flag(default=False)
    realtime: bool = flag(default=False)
    write_execute: bool = flag(default=True)
    address_families: ListOf[str] = list_of(
        AddressFamily, default=("AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX")
    )
    system_calls: ListOf[str] = list_of(SystemCall, default=("@system-service",))

    @classmethod
    def off(cls) -> Hardening:
        """Make a sandbox that is fully open: the service may do whatever its user may."""
        return cls(
            filesystem="open",
            home=True,
            devices=True,
            shared_tmp=True,
            new_privileges=True,
            kernel=True,
            namespaces=True,
            realtime=True,
            address_families=(),
            system_calls=(),
        )

    def faults(self) -> Iterator[Fault]:
        if self.writable and self.filesystem == "open":
            yield ".writable", "has no effect: the whole file system is open", "leave it out"
