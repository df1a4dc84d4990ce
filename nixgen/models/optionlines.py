"""NixOS options that NixOS puts into a line of a file, and the check of their values.

A value of ``options={…}`` is written as NixOS's own modules write it: nothing in it is escaped, and
a backslash may continue a line of a unit. But no value may begin a line, a field or a parameter of
its own. nix/bases/debian/machine/options.nix makes the same checks for modules written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from nixgen.models.checks import Check, one_line, pattern
from nixgen.models.core import Fault, Model
from nixgen.models.lines import AccountText
from nixgen.models.text import Text

__all__ = ["option_line_faults"]

_CONTINUED = re.compile(r"\\\n")
_IN_UNIT = one_line("a systemd unit")
_PARAMETER = pattern(
    r"""([!#-~]|"[ !#-~]*")+""",
    what="a word of the kernel's command line",
    example="panic=5",
    allowed="printable ASCII; blanks between double quotes only",
)


def _setting(text: str) -> Iterable[Fault]:
    joined = _CONTINUED.sub(" ", text).rstrip("\n")
    if joined.endswith("\\"):
        message = "ends with a backslash, which would join it to the next line of a systemd unit"
        return (("", message, "take it out"),)
    return _IN_UNIT(joined)


def _line(file: str) -> Check:
    """Make a check for a whole line, which may have its own end as texts of files have."""
    check = one_line(file)
    return lambda text: check(text.removesuffix("\n"))


_WORD = pattern(
    r"[^\s\x00-\x1f\x7f]+", what="one word of a line", example="example.org", allowed="no blanks"
)
_NAMES = one_line("/etc/group", separators=":,")
_FSTAB = one_line("fstab")

#: Path of an option, with ``*`` for any text in a name → check of a text there.
_CHECKS: tuple[tuple[tuple[str, ...], Check], ...] = (
    (("boot", "kernel", "sysctl", "*"), _line("a file of sysctl.d")),
    (("boot", "kernelModules"), _WORD),
    (("boot", "kernelParams"), _PARAMETER),
    (("fileSystems", "*", "device"), _FSTAB),
    (("fileSystems", "*", "fsType"), _WORD),
    (("fileSystems", "*", "options"), _FSTAB),
    (("networking", "domain"), _WORD),
    (("networking", "hosts", "*"), _WORD),
    (("networking", "nameservers"), _WORD),
    (("networking", "search"), _WORD),
    # services, timers, sockets …, and those of users and of systemd-networkd
    (("systemd", "*", "*", "description"), _setting),
    (("systemd", "*", "*", "*Config", "*"), _setting),
    (("systemd", "network", "*", "*", "*Config", "*"), _setting),
    (("systemd", "user", "*", "*", "description"), _setting),
    (("systemd", "user", "*", "*", "*Config", "*"), _setting),
    (("systemd", "tmpfiles", "rules"), _line("a file of tmpfiles.d")),
    (("users", "groups", "*", "members"), _NAMES),
    (("users", "users", "*", "description"), AccountText.check),
    (("users", "users", "*", "extraGroups"), _NAMES),
    (("users", "users", "*", "home"), AccountText.check),
    (("users", "users", "*", "openssh", "authorizedKeys", "keys"), _line("a file of SSH keys")),
    (("users", "users", "*", "shell"), AccountText.check),
)


def option_line_faults(path: tuple[str, ...], value: Any) -> Iterator[Fault]:
    """Yield the faults of the texts in a value that NixOS puts into lines.

    :param path: Path of the option.
    :param value: Checked value of the option; what stands in it for a store path has no fault.
    """
    wrapped = getattr(value, "value", None) if isinstance(value, Model) else None
    if wrapped is not None:  # a Property
        for suffix, message, hint in option_line_faults(path, wrapped):
            yield f".value{suffix}", message, hint
        return
    if isinstance(value, dict):
        for name, item in value.items():
            for suffix, message, hint in option_line_faults((*path, name), item):
                yield f"[{name!r}]{suffix}", message, hint
        return
    for pattern_of_path, check in _CHECKS:
        if _fits(path, pattern_of_path):
            yield from _text_faults(value, check)


def _fits(path: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return len(path) == len(wanted) and all(
        name in ("*", given) or fnmatchcase(given, name)
        for given, name in zip(path, wanted, strict=True)
    )


def _text_faults(value: Any, check: Check) -> Iterator[Fault]:
    if isinstance(value, str):
        yield from check(value)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for suffix, message, hint in _text_faults(item, check):
                yield f"[{index}]{suffix}", message, hint
    elif isinstance(value, Text):
        # a store path is a word without any special character
        yield from check("".join(part if isinstance(part, str) else "x" for part in value.parts))
