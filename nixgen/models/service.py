"""Services: one process, described once, that runs as a systemd unit, a container or a workload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from nixgen.models.checks import Check, each, instance, pattern, repeated, whole_number
from nixgen.models.core import Fault, Model
from nixgen.models.fields import (
    Converted,
    ListOf,
    Many,
    as_tuple,
    choice,
    dict_of,
    field,
    flag,
    list_of,
    model,
)
from nixgen.models.files import (
    ConfigFile,
    Package,
    Secret,
    Source,
    textual_value,
)
from nixgen.models.hardening import Hardening
from nixgen.models.lines import (
    AccountPath,
    AccountText,
    EnvironmentName,
    EnvironmentValue,
    ExecWord,
    KeysLine,
    PlainText,
    UnitDirectory,
    UnitName,
    UnitPath,
    UnitText,
    UserName,
)
from nixgen.models.text import Text

__all__ = ["CommandCheck", "HttpCheck", "Port", "Service", "TcpCheck", "User"]

Protocol = Literal["tcp", "udp"]
Restart = Literal["on-failure", "always", "no"]

#: The types of a word of a command line, and of the value of an environment variable.
Word = str | Text | Package | Source | ConfigFile


class PortName(
    PlainText,
    check=pattern(
        r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?",
        what="a port name",
        example="http",
        allowed="small letters, digits and dashes, 15 at most; no dash at either end",
    ),
):
    """The name of a port of a Kubernetes Service."""

    __slots__ = ()


class UrlPath(
    PlainText,
    check=pattern(
        r"/[!\"$-~]*",
        what="a URL path",
        example="/healthz",
        allowed="printable ASCII, without # because no client sends what follows it; %23 is sent",
    ),
):
    """The path of a URL, for the scripts of tests and for Kubernetes."""

    __slots__ = ()


# sshd(8), AUTHORIZED_KEYS FILE FORMAT, without options
class AuthorizedKey(
    KeysLine,
    check=pattern(
        r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]{32,}={0,2}( [^\x00-\x1f\x7f]*)?",
        what="a public key of SSH",
        example="the line in ~/.ssh/id_ed25519.pub",
    ),
):
    """A public key that logs in as a user. It begins with the key's type, so it has no options."""

    __slots__ = ()


@model
class Port(Model):
    """A port that a service listens on.

    :param number: Port number, 1 to 65535.
    :param name: Name of the port, at most 15 characters, unique in its service. None (the default)
        gives it a name such as ``tcp-80`` where Kubernetes needs one.
    :param protocol: Protocol of the packets: ``tcp`` (the default) or ``udp``.
    :param public: True (the default) when the firewall of the service's machines lets packets to
        the port in.
    """

    number: int = field(whole_number(1, 65535), kw_only=False)
    name: str | None = field(PortName, default=None)
    protocol: Protocol = choice(Protocol, default="tcp")
    public: bool = flag(default=True)

    @property
    def privileged(self) -> bool:
        """True when Linux reserves the port for root, unless
        /proc/sys/net/ipv4/ip_unprivileged_port_start says otherwise.
        """
        return self.number < 1024


@model
class HttpCheck(Model):
    """A health check over HTTP. The service is healthy when ``GET path`` answers ``status``.

    :param path: Path of the URL, ``/`` unless given.
    :param port: Port to connect to: one of the service's own, tcp. None (the default) means the
        only port of the service.
    :param status: Status code of a healthy answer, 200 unless given.
    :param contains: Text that the body must contain. None (the default) accepts any body.
    """

    path: str = field(UrlPath, kw_only=False, default="/")
    port: Port | None = field(Port, default=None)
    status: int = field(whole_number(100, 599), default=200)
    contains: str | None = field(PlainText, default=None)


@model
class TcpCheck(Model):
    """A health check over TCP. The service is healthy when the port accepts a connection.

    :param port: Port to connect to: one of the service's own, tcp. None (the default) means the
        only port of the service.
    """

    port: Port | None = field(Port, default=None)


@model
class CommandCheck(Model):
    """A health check by a command. The service is healthy when the command exits with 0.

    :param command: Program and arguments, one word each. No shell reads them.
    """

    command: ListOf[Word] = list_of(textual_value, kw_only=False, lines=(PlainText,))

    def faults(self) -> Iterator[Fault]:
        if self.command == ():
            yield ".command", "is empty", "give the program and its arguments"


HealthCheck = HttpCheck | TcpCheck | CommandCheck


@model
class User(Model):
    """A user of a machine, or the user that a service runs as.

    :param name: Name of the user. A group of the same name is the primary group.
    :param uid: Number of the user. None (the default) lets the machine choose; an image, which
        needs a number, takes 1000, or 0 for root.
    :param gid: Number of the primary group. None (the default) lets the machine choose; an image
        takes the number of the user.
    :param home: Absolute path of the home directory. None (the default) leaves the choice to the
        platform.
    :param groups: Names of further groups that the user is in.
    :param system: True (the default) for a system user, who cannot log in. False for a person.
    :param description: Comment in /etc/passwd, such as the full name of a person.
    :param shell: Login shell: a package such as bash, or an absolute path. None (the default) means
        the platform's shell for this kind of user.
    :param authorized_keys: Public SSH keys that log in as this user, each one line as in
        ``~/.ssh/id_ed25519.pub``.
    """

    addressed_by_name = True

    name: str = field(UserName, kw_only=False)
    uid: int | None = field(whole_number(0, 2**32 - 2), default=None)
    gid: int | None = field(whole_number(0, 2**32 - 2), default=None)
    home: str | None = field(AccountPath, default=None)
    groups: ListOf[str] = list_of(UserName, default=())
    system: bool = flag(default=True)
    description: str = field(AccountText, default="")
    shell: Package | str | None = field(Package, AccountPath, default=None)
    authorized_keys: ListOf[str] = list_of(AuthorizedKey, default=())


def _program_faults(path: str, command: Any) -> Iterator[Fault]:
    """Yield the faults of the first word of a command that systemd runs.

    systemd reads ``+``, ``-``, ``!``, ``:``, ``@`` and ``|`` before the program as prefixes, and
    ``+`` means: as root, outside the sandbox (systemd.service(5)). Therefore a first word that
    begins with literal text must begin with ``/``.
    """
    if not isinstance(command, tuple):
        return
    if command == ():
        yield path, "is empty", "give the program and its arguments"
        return
    pieces = command[0].parts if isinstance(command[0], Text) else command[:1]
    start = pieces[0] if pieces else ""
    if not isinstance(start, str) or start.startswith("/"):
        yield from _path_faults(f"{path}[0]", pieces)
        return
    hint = 'use Package("…") / "bin/…"'
    if start[:1] and start[0] in "+-!:@|":
        message = f"begins with {start[0]!r}, which systemd takes for a prefix and not for text"
    else:
        message = f"{start!r} is neither a package's program nor an absolute path"
    yield f"{path}[0]", message, hint


def _path_faults(path: str, pieces: tuple[Any, ...]) -> Iterator[Fault]:
    """Yield the faults of the path of a program: systemd starts no unit whose program is a folder or
    has quotes, backslashes or control characters in its path (systemd.service(5)).
    """
    for piece in pieces:
        found = _NO_PROGRAM.search(piece) if isinstance(piece, str) else None
        if found:
            message = f"contains {found[0]!r}, which systemd allows in no program's path"
            yield path, message, "give the program a link of another name"
            return
    if isinstance(pieces[-1], str) and pieces[-1].endswith("/"):
        yield path, "ends with '/', so it is a folder and no program", "name a file in it"


_NO_PROGRAM = re.compile(r"""[\x00-\x1f\x7f"'\\]""")


def _as_commands(value: Many[Many[Word]]) -> tuple[tuple[Word, ...], ...]:
    commands = as_tuple(value)
    # a wrong value is left for the checks to name
    return tuple(map(as_tuple, commands)) if isinstance(commands, tuple) else commands


def _a_service(value: Any) -> Iterable[Fault]:
    return _IS_SERVICE(value)  # the class is not bound yet where its own field is described


@model
class Service(Model):
    """A long-running process.

    :param name: Name of the service and of its systemd unit, such as ``api``.
    :param command: Program and arguments, one word each. No shell reads them.
    :param setup: Commands that run to completion before the process starts, in this order.
    :param description: Text for people in the systemd unit. When empty (the default), the name.
    :param environment: Environment variables of the process by name.
    :param ports: Ports that the process listens on.
    :param health: Health check of the process: an `HttpCheck`, a `TcpCheck` or a `CommandCheck`.
        None (the default) checks nothing.
    :param packages: Packages whose programs are on the PATH of the process.
    :param depends_on: Services that this one needs. It starts after those that are on the same
        machine.
    :param secrets: Secrets that the process can read, each as a file in ``$CREDENTIALS_DIRECTORY``.
    :param user: User that the process runs as. None (the default) means an unprivileged user that
        exists only while the process runs.
    :param working_directory: Absolute path of the directory in which the process starts. None (the
        default) leaves the choice to the platform.
    :param state_directory: Folder below /var/lib, by relative path, that survives restarts and
        belongs to the service. None (the default) makes none.
    :param runtime_directory: Folder below /run, by relative path, that exists as long as the
        process. None (the default) makes none.
    :param restart: Rule by which systemd starts the process again after it ends: ``on-failure``
        (the default), ``always`` or ``no``.
    :param hardening: Sandbox of the process. The default closes almost everything that is not its
        own.
    """

    addressed_by_name = True

    name: str = field(UnitName, kw_only=False)
    command: ListOf[Word] = list_of(textual_value, lines=(ExecWord,))
    setup: Converted[tuple[tuple[Word, ...], ...], Many[Many[Word]]] = field(
        each(each(textual_value)), default=(), convert=_as_commands, lines=(ExecWord,)
    )
    description: str = field(UnitText, default="")
    environment: Mapping[str, Word] = dict_of(
        EnvironmentName, textual_value, default={}, lines=(EnvironmentValue,)
    )
    ports: ListOf[Port] = list_of(Port, default=())
    health: HealthCheck | None = field(HttpCheck, TcpCheck, CommandCheck, default=None)
    packages: ListOf[Package] = list_of(Package, default=())
    depends_on: ListOf[Service] = list_of(_a_service, default=())
    secrets: ListOf[Secret] = list_of(Secret, default=())
    user: User | None = field(User, default=None)
    working_directory: str | None = field(UnitPath, default=None)
    state_directory: str | None = field(UnitDirectory, default=None)
    runtime_directory: str | None = field(UnitDirectory, default=None)
    restart: Restart = choice(Restart, default="on-failure")
    hardening: Hardening = field(Hardening, default=Hardening())

    @property
    def runs_as_root(self) -> bool:
        """True when the user is root, by name or by number."""
        return self.user is not None and (self.user.uid == 0 or self.user.name == "root")

    def health_port(self) -> Port | None:
        """The port that the health check connects to. None when the check uses no port, or when the
        port is ambiguous.
        """
        if isinstance(self.health, (HttpCheck, TcpCheck)):
            return self.health.port or (self.ports[0] if len(self.ports) == 1 else None)
        return None

    def faults(self) -> Iterator[Fault]:
        yield from _program_faults(".command", self.command)
        for index, command in enumerate(self.setup):
            yield from _program_faults(f".setup[{index}]", command)
        if self.user is None:
            yield from self._dynamic_user_faults()
        yield from self._port_faults()

    def _dynamic_user_faults(self) -> Iterator[Fault]:
        """Yield the faults of openings that ``DynamicUser=`` closes in spite of the unit's other
        settings (systemd.exec(5)).
        """
        opened = [
            name
            for name, is_open in (
                ("filesystem", self.hardening.filesystem in {"full", "system", "open"}),
                ("shared_tmp", self.hardening.shared_tmp),
                ("new_privileges", self.hardening.new_privileges),
            )
            if is_open
        ]
        if opened:
            yield (
                ".hardening",
                f"opens {' and '.join(opened)}, which stays closed for a service without a user of its own",
                f'give it one: user=User("{self.name}")',
            )

    def _port_faults(self) -> Iterator[Fault]:
        numbers = [(port.number, port.protocol) for port in self.ports]
        for index, first, (number, protocol) in repeated(numbers):
            yield f".ports[{index}]", f"repeats ports[{first}]: {number}/{protocol}", None
        for index, first, name in repeated(port.name for port in self.ports):
            message = f"{name!r} is also the name of ports[{first}]"
            yield f".ports[{index}].name", message, None
        if isinstance(self.health, (HttpCheck, TcpCheck)):
            checked_port = self.health_port()
            if checked_port is None:
                yield (
                    ".health.port",
                    f"is not given, and the service has {len(self.ports) or 'no'} ports",
                    "give port=… with one of the service's Port objects",
                )
            elif checked_port not in self.ports:
                yield ".health.port", "is not one of the service's ports", "add it to ports=[…]"
            elif checked_port.protocol != "tcp":
                yield ".health.port", "is a udp port, which cannot be checked by connecting", None


_IS_SERVICE: Check = instance(Service, what="a Service")
