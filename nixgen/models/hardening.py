"""What a service may not do: systemd's sandbox, closed unless something is opened on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import attrs

from nixgen.models.core import (
    FLAG,
    Fault,
    Model,
    as_strings,
    checked,
    each,
    one_of,
    pattern,
)

__all__ = ["Hardening"]

# capabilities(7)
FileSystemAccess = Literal["strict", "full", "system", "open"]

_CAPABILITY = pattern(r"CAP_[A-Z][A-Z0-9_]*", what="a capability", example="CAP_NET_ADMIN")
# address_families(7)
_FAMILY = pattern(r"AF_[A-Z][A-Z0-9_]*", what="an address family", example="AF_PACKET")
# systemd.exec(5), SystemCallFilter=
_CALLS = pattern(
    r"~?(@[a-z][a-z-]*|[a-z_][a-z0-9_]*)",
    what="a system call or a group of them",
    example="@mount, or ~ptrace to forbid it",
)
_WRITABLE = pattern(r"[-+]{0,2}/[^\x00-\x1f\x7f]*", what="an absolute path", example="/srv/uploads")


@attrs.frozen(eq=False)
class Hardening(Model):
    """A service's sandbox (systemd.exec(5)). Each field opens, or closes, one thing; `Hardening.off` opens everything.

    :param filesystem: ``strict``: nothing can be written but /dev, /proc, /sys, its own directories and ``writable``; ``full``:
        neither /usr, /boot nor /etc; ``system``: neither /usr nor /boot; ``open``: what its user may.
    :param writable: paths that can be written all the same.
    :param home: whether it sees /home, /root and /run/user.
    :param devices: whether it sees devices beside /dev/null and the like.
    :param shared_tmp: whether it shares /tmp and /var/tmp with others.
    :param capabilities: what it may do of root's rights, beside binding its own ports below 1024. A service that runs as root
        keeps all of them when empty.
    :param new_privileges: whether programs that it runs can gain rights, as with setuid.
    :param kernel: whether it can change the kernel's settings, modules, log, clock, control groups, and the host's name.
    :param namespaces: whether it can make namespaces, as container engines do.
    :param realtime: whether it may ask for realtime scheduling.
    :param write_execute: whether memory can be written and then executed, as just-in-time compilers do.
    :param address_families: kinds of sockets; any kind when empty.
    :param system_calls: what it may ask of the kernel; anything when empty.
    """

    filesystem: FileSystemAccess = attrs.field(
        default="strict", kw_only=True, metadata=checked(one_of(FileSystemAccess))
    )
    writable: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_WRITABLE))
    )
    home: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    devices: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    shared_tmp: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    capabilities: tuple[str, ...] = attrs.field(
        default=(), kw_only=True, converter=as_strings, metadata=checked(each(_CAPABILITY))
    )
    new_privileges: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    kernel: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    namespaces: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    realtime: bool = attrs.field(default=False, kw_only=True, metadata=FLAG)
    write_execute: bool = attrs.field(default=True, kw_only=True, metadata=FLAG)
    address_families: tuple[str, ...] = attrs.field(
        default=("AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"),
        kw_only=True,
        converter=as_strings,
        metadata=checked(each(_FAMILY)),
    )
    system_calls: tuple[str, ...] = attrs.field(
        default=("@system-service",),
        kw_only=True,
        converter=as_strings,
        metadata=checked(each(_CALLS)),
    )

    @classmethod
    def off(cls) -> Hardening:
        """No sandbox: the service may do whatever its user may."""
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
            yield ".writable", "says nothing: the whole file system is open", "leave it out"
