"""Types of text in line formats: for each place of a format one class, with one check and one escape.

A line format ends a value at some character: a line end, a colon, a blank. The class of a place
knows the text that fits there (`Line.check`, which the field of a model uses), and how the format
writes it (the constructor, which lowering uses). A field names its class, and a writer of
`nixgen.lowering.quoted` takes the classes of its own format and nothing else::

    description: str = field(UnitText, default="")
    unit(UnitText(service.description))

Classes of one model alone stand beside that model. They are subclasses of a format's class here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from nixgen.errors import UnprintableError
from nixgen.models.checks import (
    LABEL,
    LABEL_RULE,
    Check,
    every,
    one_line,
    pattern,
    string,
    unquoted,
)
from nixgen.models.core import Fault

__all__ = [
    "AccountLine",
    "AccountPath",
    "AccountText",
    "CredentialPath",
    "EnvironmentName",
    "EnvironmentValue",
    "ExecPiece",
    "ExecWord",
    "FstabLine",
    "KernelLine",
    "KeyFile",
    "KeysLine",
    "Line",
    "MachinesLine",
    "Name",
    "NetworkLine",
    "PathWord",
    "PlainText",
    "SysctlLine",
    "TargetName",
    "TmpfilesLine",
    "UnitDirectory",
    "UnitLine",
    "UnitName",
    "UnitPath",
    "UnitText",
    "UnitWord",
    "UserName",
    "absolute_path",
    "c_escaped",
    "line_types",
    "needs_quotes",
    "without_parents",
    "without_specifiers",
]


class Line(str):
    """Text as one place of a line format holds it: checked, and escaped. It is a str so that the
    printer can write it; each operation of str gives a plain str, which no writer takes.

    :param text: Text of a user.
    :raises UnprintableError: The check of the class has a fault to report. The field of a model has
        the same check, so the user never sees this error, unless a field has forgotten it.
    """

    __slots__ = ()

    #: Check of a user's text.
    check: ClassVar[Check]
    #: Function that writes a user's text as the format does. None when every text that fits is written as it is.
    escape: ClassVar[Callable[[str], str] | None] = None

    def __init_subclass__(
        cls, *, check: Check | None = None, escape: Callable[[str], str] | None = None
    ) -> None:
        if check is not None:
            cls.check = staticmethod(check)
        if escape is not None:
            cls.escape = staticmethod(escape)

    if TYPE_CHECKING:

        def __new__(cls, text: str) -> Self: ...
    else:
        # the cache itself is the constructor: a call of a function costs more than all the rest
        @lru_cache(maxsize=16384)
        def __new__(cls: type[Self], text: str) -> Self:
            if type(text) is not str:
                raise TypeError(f"{text!r} is a {type(text).__name__}, and {cls} takes a str")
            for _, message, hint in cls.check(text):
                raise UnprintableError(f"{text!r} {message}", hint=hint)
            escape = cls.escape
            return str.__new__(cls, text if escape is None else escape(text))

    @classmethod
    def constant(cls, text: str) -> Self:
        """Make a value of nixgen's own text, in the form in which the format writes it.

        :param text: Text that no user has written.
        """
        return str.__new__(cls, text)

    @classmethod
    def joined(cls, separator: str, *parts: Self) -> Self:
        """Join values, each of which fits into its place.

        :param separator: Text of nixgen's own between two parts.
        :param parts: Values of this format.
        """
        for part in parts:
            if not isinstance(part, cls):
                raise TypeError(f"{part!r} is of type {type(part).__name__}, not {cls.__name__}")
        return str.__new__(cls, separator.join(parts))


class PlainText(Line, check=string):
    """Text that stands in no line: only Nix, JSON and YAML hold it, and they can hold any text
    without NUL.
    """

    __slots__ = ()


class Name(Line):
    """A name of letters, digits and marks that no format gives a meaning."""

    __slots__ = ()


class UnitLine(Line):
    """Text in a unit file of systemd."""

    __slots__ = ()


class AccountLine(Line):
    """Text in a field of passwd(5) or group(5)."""

    __slots__ = ()


class TmpfilesLine(Line):
    """Text in a field of tmpfiles.d(5)."""

    __slots__ = ()


class SysctlLine(Line):
    """Text in a line of sysctl.d(5)."""

    __slots__ = ()


class FstabLine(Line):
    """Text in a field of fstab(5)."""

    __slots__ = ()


class KernelLine(Line):
    """A word of the kernel's command line or of modules-load.d(5)."""

    __slots__ = ()


class NetworkLine(Line):
    """A word in hosts(5), resolv.conf(5) or a batch of commands of ip(8)."""

    __slots__ = ()


class KeysLine(Line):
    """A line of authorized_keys (sshd(8))."""

    __slots__ = ()


class MachinesLine(Line):
    """A word of Nix's machines file, in which blanks, commas, semicolons and ``#`` have a meaning."""

    __slots__ = ()


class TargetName(
    Name,
    UnitLine,
    MachinesLine,
    check=pattern(LABEL, what="a name", example="shop or big-1", allowed=LABEL_RULE),
):
    """The name of a target of commands, such as a test."""

    __slots__ = ()


class KeyFile(
    MachinesLine,
    check=pattern(
        r"/[^\s#;,%$\x00-\x1f\x7f]+",
        what="an absolute path without blanks and the signs # ; , % $",
        example="/etc/nix/builder_key",
    ),
):
    """The path of a private key, in which ssh expands ``%`` and ``$``."""

    __slots__ = ()


# --- systemd ---

_UNIT = "a systemd unit"
_NEEDS_QUOTES = re.compile(r"""[\0-\x20"'\\;]""")
_SPECIAL = re.compile(r"""[\x00-\x1f"\\%]""")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%"}


def c_escaped(text: str) -> str:
    """Escape percent signs, which begin a specifier, and the characters that need a backslash
    (systemd.syntax(7)).

    :param text: Text to escape.
    """
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):02x}", text)


def without_specifiers(text: str) -> str:
    """Double percent signs, which begin a specifier (systemd.unit(5)).

    :param text: Text to escape.
    """
    return text.replace("%", "%%")


def needs_quotes(text: str) -> bool:
    """Decide if a word of a command or list stays one word only in quotes.

    :param text: Text of the word.
    """
    return _NEEDS_QUOTES.search(text) is not None


def _without_dollars(text: str) -> str:
    return c_escaped(text).replace("$", "$$")


def _command_word(text: str) -> str:
    inner = _without_dollars(text)
    return f'"{inner}"' if not text or needs_quotes(text) else inner


def _list_word(text: str) -> str:
    inner = c_escaped(text)
    return f'"{inner}"' if needs_quotes(text) else inner


def without_parents(file: str) -> Check:
    """Make a check for a path without ``..``, which systemd refuses in paths.

    :param file: Name of the file for the message, such as ``a systemd unit``.
    """

    def run(value: str) -> Iterable[Fault]:
        if ".." not in value.split("/"):
            return ()
        message = f"{value!r} has a part '..', which {file} cannot have"
        return (("", message, "write the path without"),)

    return run


_NO_PARENTS = without_parents(_UNIT)


def absolute_path(example: str) -> Check:
    """Make a check for an absolute path.

    :param example: Correct path, for the hint.
    """
    return pattern(r"(?s:/.*)", what="an absolute path", example=example)


class UnitText(UnitLine, check=unquoted(_UNIT), escape=without_specifiers):
    """A whole value of a setting, without quotes, such as that of ``Description=``."""

    __slots__ = ()


class UnitPath(UnitText, check=every(absolute_path("/var/lib/api"), unquoted(_UNIT), _NO_PARENTS)):
    """An absolute path that is a whole value, such as that of ``WorkingDirectory=``. systemd refuses
    a path with ``..`` and does not start the unit.
    """

    __slots__ = ()


class CredentialPath(
    UnitText,
    check=every(absolute_path("/run/secrets/db"), unquoted(_UNIT, separators=":"), _NO_PARENTS),
):
    """The path of ``LoadCredential=NAME:PATH``."""

    __slots__ = ()


# systemd.unit(5): a unit name without its suffix; the image and Kubernetes forms need the stricter DNS label.
class UnitName(
    UnitText,
    check=pattern(LABEL, what="a service name", example="api or web-1", allowed=LABEL_RULE),
):
    """The name of a service, which becomes the names of its unit and of its credentials."""

    __slots__ = ()


class UnitWord(UnitLine):
    """A word of a list, such as a capability. Its subclasses need no quotes."""

    __slots__ = ()


class UnitDirectory(
    UnitText,
    check=every(
        pattern(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", what="a relative directory", example="api/cache"),
        _NO_PARENTS,
    ),
):
    """A folder below /var/lib or /run, such as that of ``StateDirectory=``."""

    __slots__ = ()


class PathWord(
    UnitWord,
    check=every(
        pattern(r"[-+]{0,2}/[^\x00-\x1f\x7f]*", what="an absolute path", example="/srv/uploads"),
        _NO_PARENTS,
    ),
    escape=_list_word,
):
    """A path of a list, such as those of ``ReadWritePaths=``. ``-`` and ``+`` before it are systemd's
    own (systemd.exec(5)).
    """

    __slots__ = ()


class ExecPiece(UnitLine, check=string, escape=_without_dollars):
    """A piece of a word of a command line that `ExecWord` cannot write alone: the rest is a store
    path (systemd.service(5)).
    """

    __slots__ = ()


class ExecWord(ExecPiece, check=string, escape=_command_word):
    """A word of a command line, in which ``%`` and ``$`` mean nothing (systemd.service(5))."""

    __slots__ = ()


class EnvironmentName(
    UnitLine,
    check=pattern(
        r"[A-Za-z_][A-Za-z0-9_]*",
        what="an environment variable",
        example="PORT",
        allowed="letters, digits and _; no digit first",
    ),
):
    """The name of an environment variable."""

    __slots__ = ()


class EnvironmentValue(UnitLine, check=string, escape=without_specifiers):
    """The value of ``Environment=``. NixOS puts it into quotes, with JSON's escapes."""

    __slots__ = ()


# --- accounts ---

_PASSWD = one_line("/etc/passwd", separators=":")


class AccountText(AccountLine, check=_PASSWD):
    """A comment in /etc/passwd: one of seven fields, separated by colons, of one line."""

    __slots__ = ()


class AccountPath(AccountLine, check=every(absolute_path("/home/ann"), _PASSWD)):
    """A home directory or a shell in /etc/passwd."""

    __slots__ = ()


# useradd(8) on Debian
class UserName(
    AccountText,
    UnitText,
    check=pattern(
        r"[a-z_][a-z0-9_-]{0,31}",
        what="a user name",
        example="nginx",
        allowed="small letters, digits, _ and -, 32 at most; a letter or _ first",
    ),
):
    """The name of a user or group."""

    __slots__ = ()


def line_types(kinds: tuple[Any, ...]) -> tuple[type[Line], ...]:
    """Return the classes of lines among the kinds of a field.

    :param kinds: Checks and classes.
    """
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Line))
