"""Text with store paths in it, as a type.

A plain ``str`` is always data: every character of it reaches the program unchanged. Only a `Text`
carries references to things that will have a store path; `text` and ``/`` make one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from nixgen.models.checks import Check, string
from nixgen.models.core import Fault, Model
from nixgen.models.fields import field, model
from nixgen.models.lines import EnvironmentValue, ExecPiece, PlainText

__all__ = ["text"]

_PLACEHOLDER = re.compile(r"\$(?P<escaped>\$\{)|\$\{(?P<name>[^}]*)\}")


class Interpolated:
    """The base of the models whose path only Nix knows: `Package`, `Source` and `ConfigFile`."""

    __slots__ = ()

    def __truediv__(self, path: str) -> Text:
        """Make the path of something inside: ``nginx / "bin/nginx"``."""
        return Text(parts=(self, "/" + path.lstrip("/")))

    def __str__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} has no path before Nix runs, so it cannot become a str or part of an f-string; "
            'write text("… ${x} …", x=…) instead'
        )

    def __format__(self, spec: str) -> str:
        return str(self)


@model
class Text(Model):
    """Literal text and references, in order. Make one with `text` or with ``/``.

    :param parts: Pieces of the text: a `str` is literal, and a reference stands for its store path.
    """

    parts: tuple[str | Interpolated, ...] = field(
        tuple, lines=(ExecPiece, EnvironmentValue, PlainText)
    )

    def __truediv__(self, path: str) -> Text:
        return Text(parts=(*self.parts, "/" + path.lstrip("/")))

    def __str__(self) -> NoReturn:
        raise TypeError(
            "text with references cannot become a str or part of an f-string; "
            'write text("… ${x} …", x=…) instead'
        )

    def __format__(self, spec: str) -> str:
        return str(self)


def text(template: str, /, **references: Any) -> Text:
    """Make text in which ``${name}`` stands for the reference of that name. ``$${`` is a literal
    ``${``.

    A ``$`` without a brace after it stays as it is, so shell and nginx variables need no escaping.

    :param template: Text with placeholders.
    :param references: Values of the placeholders by name: packages, sources, configuration files,
        other text, or a plain str.
    :raises ValueError: a placeholder has no reference, or the template does not use a reference.
    """
    parts: list[str | Interpolated] = []
    unused = set(references)
    at = 0
    for match in _PLACEHOLDER.finditer(template):
        parts.append(template[at : match.start()])
        at = match.end()
        if match["escaped"]:
            parts.append("${")
            continue
        name = match["name"]
        if name not in references:
            raise ValueError(
                f"text() has ${{{name}}} but no argument {name!r}; give it, or write $${{{name}}} for the literal text"
            )
        unused.discard(name)
        value = references[name]
        parts.extend(value.parts if isinstance(value, Text) else (value,))
    parts.append(template[at:])
    if unused:
        raise ValueError(f"text() never uses {', '.join(sorted(unused))}")
    return Text(parts=tuple(part for part in parts if part != ""))


def plain_text(value: Any) -> str | None:
    """Return a word as a `str` when it mentions no store path, and None when it does.

    :param value: Word of a command, or value of an environment variable.
    """
    parts = value.parts if isinstance(value, Text) else (value,)
    literals = [part for part in parts if isinstance(part, str)]
    return "".join(literals) if len(literals) == len(parts) else None


def textual(is_secret: Any) -> Check:
    """Make a check for a field that takes a str, a `Text` or a reference, and never a secret."""

    def faults(part: Any) -> tuple[Fault, ...]:
        if isinstance(part, Interpolated):
            return ()
        return (_secret_fault(part),) if isinstance(part, is_secret) else string(part)

    def run(value: Any) -> Iterable[Fault]:
        if type(value) is str:
            return string(value)
        if not isinstance(value, Text):
            return faults(value)
        found: tuple[Fault, ...] = ()
        for part in value.parts:
            found += string(part) if type(part) is str else faults(part)
        return found

    return run


def _secret_fault(secret: Any) -> Fault:
    return (
        "",
        f"the secret {secret.name!r} would end up in the world-readable Nix store",
        f"give the service secrets=[…] and read the file named by $CREDENTIALS_DIRECTORY/{secret.name}",
    )
