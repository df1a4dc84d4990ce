"""Remote builders: other computers that build for this one, over SSH."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Literal

from nixgen.models.checks import (
    CONTROL,
    every,
    instance,
    pattern,
    string,
    whole_number,
)
from nixgen.models.core import Fault, Model
from nixgen.models.fields import ListOf, choice, field, list_of, model
from nixgen.models.files import Secret
from nixgen.models.lines import KeyFile, MachinesLine, TargetName

__all__ = ["Builder"]

BuilderProtocol = Literal["ssh", "ssh-ng"]


# RFC 1123 host names, and IPv4 addresses. Nix 2.8 loses the brackets of IPv6 on the way to ssh.
class BuilderHost(
    MachinesLine,
    check=pattern(
        r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*",
        what="a host name or IPv4 address",
        example="builder.example.org; an IPv6 address needs a name",
    ),
):
    """The host in the address of a builder."""

    __slots__ = ()


class BuilderUser(
    MachinesLine, check=pattern(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", what="a user name", example="nix")
):
    """The user in the address of a builder."""

    __slots__ = ()


class NixSystem(
    MachinesLine, check=pattern(r"[a-z0-9_]+-[a-z0-9_]+", what="a system", example="x86_64-linux")
):
    """A system that a builder builds for."""

    __slots__ = ()


# what separates words, features and machines in a machines file, or begins a comment, is in none of its values
class SystemFeature(
    MachinesLine,
    check=pattern(
        r"[A-Za-z0-9][A-Za-z0-9_.+:-]*", what="a system feature", example="kvm or big-parallel"
    ),
):
    """A feature that a derivation may require."""

    __slots__ = ()


_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)
_RESERVED = ("all", "none")


def _ssh_key(value: Any) -> Iterator[Fault]:
    """Check a private key: a path, or a `Secret` whose file is the key."""
    if isinstance(value, Secret):
        yield from KeyFile.check(value.path)
    elif isinstance(value, str):
        yield from KeyFile.check(value)
    else:
        yield from instance(str, Secret, what="the path of a private key, or a Secret")(value)


def _host_key(value: str) -> Iterator[Fault]:
    """Check a public host key as in ``/etc/ssh/ssh_host_*_key.pub``: type, base64, comment (RFC
    4253, 6.6).
    """
    hint = "the first two words of the builder's /etc/ssh/ssh_host_ed25519_key.pub"
    words = value.split(" ")
    if CONTROL.search(value) or len(words) < 2 or words[0] not in _KEY_TYPES:
        yield "", f"{value[:40]!r} is not a public host key", hint
        return
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        yield "", f"the {words[0]} key is not base64", hint
        return
    named = words[0].encode()
    if not blob.startswith(len(named).to_bytes(4, "big") + named) or len(blob) < len(named) + 36:
        yield "", f"the key is cut short, or not of the type {words[0]}", hint


class HostKey(MachinesLine, check=every(string, _host_key)):
    """A public host key. The machines file has its first two words in base64."""

    __slots__ = ()


@model
class Builder(Model):
    """A remote builder: another computer that builds for this one. It has Nix, and its nix.conf
    lists ``user`` in ``trusted-users``.

    :param name: Name of the builder in this project, such as ``big-1``. ``all`` and ``none`` are
        refused, because ``--builders`` gives them another meaning.
    :param host: Host name or IPv4 address of the builder. ``localhost`` is refused, because Nix
        skips SSH for it.
    :param user: User to log in as on the builder. None (the default) leaves the choice to ssh.
    :param port: TCP port of the builder's SSH server, 22 unless given.
    :param protocol: Protocol that Nix speaks over SSH: ``ssh-ng`` (the default) or the older
        ``ssh``.
    :param systems: Systems that the builder can build for, at least one; ``x86_64-linux`` unless
        given.
    :param max_jobs: Largest number of builds that run on the builder at the same time, 1 unless
        given.
    :param speed_factor: Relative speed, 1 unless given. Of two builders with equal load, the one
        with the higher number gets the work.
    :param supported_features: System features that the builder has, such as ``kvm``. A derivation
        that requires features (``requiredSystemFeatures``) is built here only when the builder has
        all of them.
    :param mandatory_features: System features that a derivation must require to be built here. They
        count as supported features as well.
    :param ssh_key: Private key to log in with: a path on the computer that runs Nix, or a `Secret`
        whose file is the key. None (the default) leaves the choice to ssh.
    :param host_key: Public host key of the builder, such as ``ssh-ed25519 AAAA…``; no other key is
        accepted. None (the default) means that ssh's own known hosts decide.
    """

    addressed_by_name = True

    name: str = field(TargetName, kw_only=False)
    host: str = field(BuilderHost)
    user: str | None = field(BuilderUser, default=None)
    port: int = field(whole_number(1, 65535), default=22)
    protocol: BuilderProtocol = choice(BuilderProtocol, default="ssh-ng")
    systems: ListOf[str] = list_of(NixSystem, default=("x86_64-linux",))
    max_jobs: int = field(whole_number(1, 10_000), default=1)
    speed_factor: int = field(whole_number(1, 10_000), default=1)
    supported_features: ListOf[str] = list_of(SystemFeature, default=())
    mandatory_features: ListOf[str] = list_of(SystemFeature, default=())
    ssh_key: str | Secret | None = field(_ssh_key, default=None, lines=(KeyFile,))
    host_key: str | None = field(HostKey, default=None)

    @property
    def address(self) -> str:
        """The URL by which Nix knows the builder's store:
        ``ssh-ng://nix@builder.example.org:2222``.
        """
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port != 22 else ""
        return f"{self.protocol}://{user}{self.host}{port}"

    def faults(self) -> Iterator[Fault]:
        if self.name in _RESERVED:
            yield (
                ".name",
                f"{self.name!r} means something else in --builders",
                "choose another name",
            )
        if self.host == "localhost":
            yield ".host", "Nix builds on localhost without SSH", "for example 127.0.0.1"
        if not self.systems:
            yield ".systems", "is empty", 'for example systems=["x86_64-linux"]'
