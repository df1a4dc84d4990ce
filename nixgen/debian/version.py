"""The order of Debian version numbers, as dpkg has it.

The rules are at https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

__all__ = ["VersionKey", "satisfies", "version_key"]

_Part = tuple[tuple[int, ...], int]
VersionKey = tuple[int, tuple[_Part, ...], tuple[_Part, ...]]

_PIECE = re.compile(r"([^0-9]*)([0-9]*)")
_END: _Part = ((0,), 0)


def _weight(character: str) -> int:
    """A tilde comes before the end of the text (0), then letters, then all other characters."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _parts(text: str) -> tuple[_Part, ...]:
    parts = [
        ((*map(_weight, words), 0), int(digits or 0))
        for words, digits in _PIECE.findall(text)
        if words or digits
    ]
    # The end takes part in comparisons, so that "1~" comes before "1". An empty text equals "0".
    return (*(parts or [_END]), _END)


@lru_cache(maxsize=4096)
def version_key(version: str) -> VersionKey:
    """A key that sorts as ``dpkg --compare-versions`` does. Equal versions, as 1.0 and 1.00, have
    equal keys.

    :param version: the version.
    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), _parts(upstream), _parts(revision)


_RELATIONS: Mapping[str, Callable[[VersionKey, VersionKey], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "<": operator.le,  # the old spelling, still in a few control files
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.ge,
    ">>": operator.gt,
}


def satisfies(version: str, relation: str, wanted: str) -> bool:
    """Whether a version has a relation to another.

    :param version: the version.
    :param relation: one of ``<< <= = >= >>``.
    :param wanted: the other version.
    """
    return _RELATIONS[relation](version_key(version), version_key(wanted))
