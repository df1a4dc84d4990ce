"""Remote builders: machines files, the options of ssh, and the meaning of its error messages.

A line of a machines file is ``address systems key jobs speed features mandatory host-key`` (Nix
manual, "Remote Builds"). In files that nixgen writes, a comment above a line names the machine. A
newline or ``;`` ends a line, even a comment.
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

__all__ = ["BuildMachine", "Builders"]

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
    "has an unknown host key",
    "copy /etc/ssh/ssh_host_ed25519_key.pub of the builder to Builder(host_key=…)",
)
#: Message of ssh or Nix → its meaning, and a hint beside the one to try the connection.
_MEANINGS = (
    _OTHER_KEY,
    _UNKNOWN_KEY,
    (r"Could not resolve hostname.*", "has a host name that cannot be resolved", None),
    (
        r"Identity file .* not accessible|UNPROTECTED PRIVATE KEY|Load key .*",
        "cannot be logged in to, because the private key cannot be used",
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
#: ssh asks for no password, gives up on a machine that does not answer after 10 seconds, and notices
#: within a minute that a connection is lost.
_SSH_OPTIONS = (
    "-oBatchMode=yes",
    "-oConnectTimeout=10",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
)


@frozen(kw_only=True)
class BuildMachine:
    """A line of a machines file.

    :param name: its name in the project, or else its host.
    :param address: the URL of its store, such as ``ssh-ng://nix@builder.example.org``.
    :param destination: ``user@host`` for ssh; the address itself if that is no SSH store.
    :param host: the host in the address.
    :param port: the port in the address; None for that of ssh's configuration.
    :param key: the path of the private key; None for the keys of ssh's configuration.
    :param host_key: the type and the key, as in a file of known hosts.
    :param line: the whole line.
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
        """Read a line of a machines file.

        :param line: the line, without a comment.
        :param name: the name of the machine; None for its host.
        :raises UsageError: the host key is not in base64.
        """
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
        """The systems that it builds for. Empty if the line names none: that of this computer."""
        words = self.line.split()[1:2]
        return () if set(words) <= _EMPTY else tuple(words[0].split(","))

    @property
    def label(self) -> str:
        """The name and the host, such as ``big-1 (builder.example.org)``."""
        return self.name if self.name == self.host else f"{self.name} ({self.host})"

    @property
    def trial(self) -> str:
        """A shell command that tests the connection, for a person to run."""
        return shlex.join(self._ssh())

    def _ssh(self, *options: str) -> tuple[str, ...]:
        """The command that logs in and asks for Nix's version."""
        key = ("-i", self.key) if self.key else ()
        port = ("-p", str(self.port)) if self.port else ()
        return ("ssh", *options, *key, *port, self.destination, "nix-store", "--version")

    def ask_version(self, folder: Path) -> Command:
        """The command that logs in as Nix does, and asks for Nix's version.

        :param folder: a folder for the file of known hosts, which must exist as long as the command
            runs.
        """
        options = ["-x", "-a", *os.environ.get("NIX_SSHOPTS", "").split(), *_SSH_OPTIONS]
        if self.host_key:
            known = folder / "known_hosts"
            known.write_text(f"{self.name} {self.host_key}\n")
            options += [f"-oUserKnownHostsFile={known}", f"-oHostKeyAlias={self.name}"]
        # The deadline is for a login that hangs. ssh itself gives up on a machine that is away.
        return Command(argv=self._ssh(*options), deadline=120)

    def error(self, words: Iterable[str], *, where: str = "") -> BuilderError:
        """The error of a machine that cannot be used.

        :param words: the messages of ssh and Nix.
        :param where: the end of the message, such as ``, building hello``.
        """
        words = tuple(filter(None, (word.strip() for word in words)))
        what, hint, quote = _meaning(words)
        if (what, hint) == _UNKNOWN_KEY[1:] and self.host_key:
            # Nix since 2.31 gives the port to ssh, but writes the known key without it. So a key that
            # differs from the known one looks unknown to ssh.
            _, what, hint = _OTHER_KEY
        detail = f": {quote}" if quote and quote not in what else ""
        return BuilderError(
            f"the builder {self.label} {what}{detail}{where}",
            hint=f"{hint}, and try: {self.trial}" if hint else f"try: {self.trial}",
        )


def _meaning(words: tuple[str, ...]) -> tuple[str, str | None, str]:
    """The meaning of messages, a hint, and the message itself if it says more."""
    for expression, what, hint in _MEANINGS:
        for word in words:
            if found := re.search(expression, word):
                return what, hint, "" if hint else found[0].rstrip(".")
    return "failed", None, words[0].removeprefix("error:").strip() if words else ""


@frozen
class Builders:
    """The remote builders that a build may use.

    :param machines: the builders. Without any, this computer builds alone, or with the builders of
        Nix's own configuration.
    """

    machines: tuple[BuildMachine, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Builders:
        """Read a machines file.

        :param text: its content.
        :raises UsageError: a host key is not in base64.
        """
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
        """The builders with the given names, in that order.

        :param names: names of the project.
        :raises UsageError: there is no builder of that name.
        """
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
        """The value of Nix's setting ``builders``.

        It is not ``@file``, because the Nix daemon cannot read a private folder.
        """
        return " ; ".join(machine.line for machine in self.machines)

    def by_address(self, address: str) -> BuildMachine:
        """The machine with an address that Nix prints; a new one if no machine of these has it.

        :param address: the URL of its store.
        """
        bare = address.partition("?")[0]
        for machine in self.machines:
            if machine.address.partition("?")[0] == bare:
                return machine
        return BuildMachine.parse(address)

    @contextlib.contextmanager
    def ssh_options(self) -> Iterator[str]:
        """The value of ``NIX_SSHOPTS`` for these machines: the present value with options after it.

        Nix before 2.31 gives ``host:port`` to ssh as the name of a host. So a configuration file,
        which exists until the block ends, explains such names to ssh. A Nix daemon has another
        environment; its own ``ssh_config`` has to name the ports.
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


# `-F` replaces both files (ssh_config(5)), so the configuration includes them.
_ORDINARY_CONFIGURATION = "Match all\n  Include ~/.ssh/config\n  Include /etc/ssh/ssh_config\n"


def _ssh_host(machine: BuildMachine) -> str:
    """The section of ssh_config for a machine with a port.

    ``HostKeyAlias`` is the name that Nix gives to ssh, because Nix stores the host key under it.
    """
    if machine.port is None:
        return ""
    name = f"{machine.host}:{machine.port}"
    lines = [f"Host {name}", f"  HostName {machine.host}", f"  Port {machine.port}"]
    if machine.host_key:
        lines.append(f"  HostKeyAlias {name}")
    return "\n".join((*lines, ""))
