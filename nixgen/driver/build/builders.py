"""Remote builders as Nix sees them: machines files, the ssh that reaches them, and what it means when they do not answer.

A machines file is lines of ``address systems key jobs speed features mandatory host-key`` (Nix manual, “Remote Builds”); in
ours a comment above a line names the machine. Lines end in a newline or ``;``, even comments.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from nixgen.errors import BuilderError, UsageError, closest
from nixgen.programs.command import Command

__all__ = ["BuildMachine", "Builders", "ask_version"]

_ADDRESS = re.compile(
    r"(?:(?:ssh|ssh-ng)://)?(?P<destination>(?:[^@/\s]+@)?(?P<host>[^@:/?\s]+))(?::(?P<port>[0-9]+))?(?:\?.*)?"
)
_EMPTY = {"", "-"}
_OTHER_KEY = (
    r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .*has changed",
    "shows another host key than the one that is known",
    "compare host_key with /etc/ssh/ssh_host_*_key.pub there",
)
_UNKNOWN_KEY = (
    r"No \S+ host key is known|Host key verification failed",
    "has a host key that nobody vouches for",
    "give Builder(host_key=…) what /etc/ssh/ssh_host_ed25519_key.pub says there",
)
#: what ssh or Nix say → what that means, and what to look at beside the connection itself
_MEANINGS = (
    _OTHER_KEY,
    _UNKNOWN_KEY,
    (r"Could not resolve hostname.*", "has a host name that cannot be resolved", None),
    (
        r"Identity file .* not accessible|UNPROTECTED PRIVATE KEY|Load key .*",
        "cannot be logged in to, for the private key cannot be used",
        "the key must be there and readable by you alone",
    ),
    (
        r"Permission denied.*",
        "refuses the key, or the user",
        "put the public key into authorized_keys there",
    ),
    (
        r"Connection refused|Connection timed out|Operation timed out|No route to host|Network is unreachable",
        "cannot be reached",
        None,
    ),
    (r"command not found|nix-\w+: not found", "has no Nix on the PATH of ssh", None),
    (
        r"lacks a (?:valid )?signature",
        "does not trust the user that builds there",
        "add the user to trusted-users in its nix.conf",
    ),
    (
        r"unexpected end-of-file|disconnected unexpectedly|Broken pipe|[Cc]onnection (?:reset|closed|to)",
        "closed the connection",
        None,
    ),
)
#: Nothing is asked, a machine that does not answer is given up soon, and one that vanished within a minute.
_SSH_OPTIONS = (
    "-oBatchMode=yes",
    "-oConnectTimeout=10",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
)


@frozen(kw_only=True)
class BuildMachine:
    """A line of a machines file.

    :param name: as the project calls it; else its host.
    :param address: the store it is, such as ``ssh-ng://nix@builder.example.org``.
    :param destination: ``user@host`` for ssh; the address itself when it is no SSH store.
    :param port: when the address names one.
    :param key: path of the private key.
    :param host_key: type and key, in base64 as ssh writes it.
    """

    name: str
    address: str
    destination: str
    host: str
    port: int | None = None
    key: str | None = None
    host_key: str | None = None
    line: str

    @classmethod
    def parse(cls, line: str, name: str | None = None) -> BuildMachine:
        """:raises UsageError: a host key that is not base64."""
        words = [None if word in _EMPTY else word for word in line.split()]
        words += [None] * (8 - len(words))
        address, key, encoded = words[0] or "", words[2], words[7]
        found = _ADDRESS.fullmatch(address)
        host = found["host"] if found else address
        try:
            host_key = base64.b64decode(encoded, validate=True).decode() if encoded else None
        except (binascii.Error, UnicodeDecodeError) as error:
            raise UsageError(
                f"the host key of the builder {name or host} is not in base64",
                hint="it is the eighth word of its line: base64 -w0 of type and key",
            ) from error
        return cls(
            name=name or host,
            address=address,
            destination=found["destination"] if found else address,
            host=host,
            port=int(found["port"]) if found and found["port"] else None,
            key=key,
            host_key=host_key,
            line=" ".join(line.split()),
        )

    @property
    def systems(self) -> tuple[str, ...]:
        """What it builds for; empty when the line leaves that to Nix, which takes this computer's."""
        words = self.line.split()[1:2]
        return () if set(words) <= _EMPTY else tuple(words[0].split(","))

    @property
    def shown(self) -> str:
        """``big-1 (builder.example.org)``."""
        return self.name if self.name == self.host else f"{self.name} ({self.host})"

    @property
    def trial(self) -> str:
        """A command that a person can run to see whether the machine answers."""
        key = ("-i", self.key) if self.key else ()
        port = ("-p", str(self.port)) if self.port else ()
        return shlex.join(("ssh", *key, *port, self.destination, "nix-store", "--version"))

    def error(self, words: Iterable[str], *, where: str = "") -> BuilderError:
        """Why it could not be used, from what ssh and Nix said."""
        words = tuple(filter(None, (word.strip() for word in words)))
        what, hint, said = _meaning(words)
        if (what, hint) == _UNKNOWN_KEY[1:] and self.host_key:
            # Nix since 2.31 gives the port to ssh and files the key without it; one that differs is then new to ssh
            _, what, hint = _OTHER_KEY
        detail = f": {said}" if said and said not in what else ""
        return BuilderError(
            f"the builder {self.shown} {what}{detail}{where}",
            hint=f"{hint}, and try: {self.trial}" if hint else f"try: {self.trial}",
        )


def _meaning(words: tuple[str, ...]) -> tuple[str, str | None, str]:
    """(what it means, what to look at, the words that say so when they add something)."""
    for expression, what, hint in _MEANINGS:
        for word in words:
            if found := re.search(expression, word):
                return what, hint, "" if hint else found[0].rstrip(".")
    return "failed", None, words[0].removeprefix("error:").strip() if words else ""


@frozen
class Builders:
    """The machines that a build may use; none are this computer alone, or what Nix's own configuration names."""

    machines: tuple[BuildMachine, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Builders:
        """The machines of a machines file."""
        machines: list[BuildMachine] = []
        name: str | None = None
        for line in re.split(r"[\n;]", text):
            content, hash_sign, comment = line.strip().partition("#")
            if content:
                machines.append(BuildMachine.parse(content, name))
            word = comment.strip()
            name = word if hash_sign and not content and re.fullmatch(r"\S+", word) else None
        return cls(tuple(machines))

    def select(self, names: Iterable[str]) -> Builders:
        """:raises UsageError: there is no builder of that name."""
        known = {machine.name: machine for machine in self.machines}
        chosen: dict[str, BuildMachine] = {}
        for name in names:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else None
                raise UsageError(
                    f"the project has no builder {name!r}",
                    hint=closest(name, known)
                    or has
                    or 'add Builder("NAME", host="…") to Project(builders=[…])',
                )
            chosen[name] = known[name]
        return Builders(tuple(chosen.values()))

    @property
    def option(self) -> str:
        """The value of Nix's setting ``builders``. Lines and not ``@file``: a daemon could not read a private folder."""
        return " ; ".join(machine.line for machine in self.machines)

    def find(self, address: str) -> BuildMachine:
        """The machine that Nix calls by this address."""
        bare = address.partition("?")[0]
        for machine in self.machines:
            if machine.address.partition("?")[0] == bare:
                return machine
        return BuildMachine.parse(address)

    @contextlib.contextmanager
    def ssh_options(self) -> Iterator[str]:
        """The value of ``NIX_SSHOPTS`` for these machines, after what it is already.

        Nix before 2.31 gives ``host:port`` to ssh as the name of a host. So a configuration, there for as long as the block,
        tells ssh what that name means. Through a daemon, which has its own environment, ports are a matter of its own
        ``ssh_config``.
        """
        own = os.environ.get("NIX_SSHOPTS", "").split()
        configuration = "".join(map(_ssh_host, self.machines))
        with contextlib.ExitStack() as stack:
            if configuration and not any(word.startswith("-F") for word in own):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nixgen-ssh-"))
                file = Path(folder) / "config"
                file.write_text(configuration + _ORDINARY_CONFIGURATION)
                own += ["-F", str(file)]
            yield " ".join((*own, *_SSH_OPTIONS))


# `-F` replaces both; ssh_config(5)
_ORDINARY_CONFIGURATION = "Match all\n  Include ~/.ssh/config\n  Include /etc/ssh/ssh_config\n"


def _ssh_host(machine: BuildMachine) -> str:
    """The section for a machine that is not at port 22. Nix files its host key under the name that it gives to ssh."""
    if machine.port is None:
        return ""
    name = f"{machine.host}:{machine.port}"
    lines = [f"Host {name}", f"  HostName {machine.host}", f"  Port {machine.port}"]
    if machine.host_key:
        lines.append(f"  HostKeyAlias {name}")
    return "\n".join((*lines, ""))


def ask_version(machine: BuildMachine, folder: Path) -> Command:
    """The command that logs in as Nix does, and asks for Nix's version.

    :param machine: the remote builder.
    :param folder: a folder for the file of known hosts, which must exist as long as the command runs.
    """
    words = os.environ.get("NIX_SSHOPTS", "").split()
    if machine.host_key:
        known = folder / "known_hosts"
        known.write_text(f"{machine.name} {machine.host_key}\n")
        words += [f"-oUserKnownHostsFile={known}", f"-oHostKeyAlias={machine.name}"]
    if machine.key:
        words += ["-i", machine.key]
    if machine.port:
        words += ["-p", str(machine.port)]
    return Command(
        argv=(
            "ssh", "-x", "-a", *words, *_SSH_OPTIONS, machine.destination, "nix-store", "--version",
        ),
        deadline=120,  # for a login that hangs; ssh gives up by itself when the machine is away
    )  # fmt: skip
