"""Writers of text that stands in a line of a file: each takes the types of its own format.

NixOS, or nix/bases/debian, copies these values into lines without a further look. Therefore the
modules that lower machines make no string of Nix themselves. They hand `nixgen.models.lines` to a
writer, which refuses a plain str: type checkers say so, and so does the writer itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, NewType, TypeVar

from nixgen import syntax as nix
from nixgen.models.lines import (
    AccountLine,
    FstabLine,
    KernelLine,
    KeysLine,
    Line,
    Name,
    NetworkLine,
    SysctlLine,
    TmpfilesLine,
    UnitLine,
)
from nixgen.syntax import Expr

__all__ = [
    "Written",
    "accounts",
    "data",
    "fstab",
    "kernel",
    "keys",
    "names",
    "network",
    "sysctl",
    "tmpfiles",
    "units",
]

#: An expression that a writer made: all its texts have a type of one line format.
Written = NewType("Written", Expr)

_L = TypeVar("_L", bound=Line)
_Key = TypeVar("_Key", str, tuple[str, ...], str | tuple[str, ...])


class Writer(Generic[_L]):
    """The writer of one line format.

    :param kind: Base of the types that it takes.
    """

    def __init__(self, kind: type[_L]) -> None:
        self._kind = kind

    def __call__(self, value: _L | int) -> Written:
        """Write a text, a number, or True or False.

        :param value: Value, its text of a type of the format.
        :raises TypeError: The text is a plain str, or belongs to another format.
        """
        if isinstance(value, self._kind):
            # an exact str: the printer looks texts up in dicts, which is slower with a subclass
            return nix.Str(str(value))  # type: ignore[return-value]  # a call of Written costs as much as the rest
        if isinstance(value, int):
            return Written(nix.quote(value))
        raise TypeError(
            f"{value!r} is of type {type(value).__name__}, not {self._kind.__name__} (nixgen/models/lines.py)"
        )

    def all(self, values: Iterable[_L]) -> Written:
        """Write a list.

        :param values: Texts of the format, in order.
        """
        return Written(nix.List(map(self, values)))

    def present(
        self, options: Mapping[_Key, _L | int | tuple[_L, ...] | None]
    ) -> dict[_Key, Written]:
        """Write the values of options, without the options that are None or an empty tuple.

        :param options: Values by the name or path of each option.
        """
        return {
            key: self.all(value) if isinstance(value, tuple) else self(value)
            for key, value in options.items()
            if value is not None and value != ()
        }


def data(value: Any) -> Written:
    """Write nested data, whose texts belong to several formats.

    :param value: Lines, numbers, True, False and None, in lists and in dicts by names of nixgen's own.
    :raises TypeError: A text is a plain str.
    """
    if isinstance(value, dict):
        return Written(nix.AttrSet({name: data(item) for name, item in value.items()}))
    if isinstance(value, list):
        return Written(nix.List(map(data, value)))
    return Written(nix.Null()) if value is None else _any(value)


_any = Writer(Line)
accounts = Writer(AccountLine)
fstab = Writer(FstabLine)
kernel = Writer(KernelLine)
keys = Writer(KeysLine)
names = Writer(Name)
network = Writer(NetworkLine)
sysctl = Writer(SysctlLine)
tmpfiles = Writer(TmpfilesLine)
units = Writer(UnitLine)
