"""Whatever a user writes: a text is refused by the type of its line, or stands in the line as one value and reads back.

The types are found by reflection. A new one is in the laws of its format by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from systemd_reader import logical_lines, split, unescaped, without_specifiers

from nixgen.errors import UnprintableError
from nixgen.models import disk, lines
from nixgen.models.lines import (
    AccountLine,
    EnvironmentValue,
    ExecPiece,
    FstabLine,
    KernelLine,
    KeysLine,
    Line,
    MachinesLine,
    NetworkLine,
    SysctlLine,
    TmpfilesLine,
    UnitLine,
)


def _types(base: type[Line]) -> Iterator[type[Line]]:
    for each in base.__subclasses__():
        if each.__module__.startswith("nixgen."):
            if hasattr(each, "check"):
                yield each
            yield from _types(each)


_HOSTILE = "\n\r\0\t\x0b\x1b\x7f\x85\u2028 :;,#%$`'\"\\+-!:@|=<>&*?[]{}()~^ü€à"
_TEXTS = st.text(st.sampled_from(_HOSTILE + "abcxyzAZ019/._"), max_size=12)
# most names refuse nearly everything, so half of the texts begin well
_STARTS = st.sampled_from(
    ["", "/", "/a/", "a", "ab-1", "CAP_X", "AF_X", "10.0.0.1", "fe80::1", "fd00::/8", "0755", "d"]
)
_CASES = st.builds("".join, st.tuples(_STARTS, _TEXTS))


def _one_account_field(text: str) -> bool:
    return f"a:{text}:b\n".split("\n") == [f"a:{text}:b", ""] and text.count(":") == 0


def _one_unit_line(text: str) -> bool:
    first, *middle, last = logical_lines(f"A=1\nX={text}\nB=2\n")
    return (first, last, len(middle)) == ("A=1", "B=2", 1)


def _one_rule_field(text: str) -> bool:
    return not re.search(r"[\n\r\0]", text)


#: Base of a format → whether a text is one value in a line of it.
_LAWS: dict[type[Line], Callable[[str], bool]] = {
    AccountLine: _one_account_field,
    FstabLine: lambda text: len(re.split(r"[ \t\n\r]", text)) == 1 and "\\" not in text,
    # the kernel's isspace reads Latin-1
    KernelLine: lambda text: (
        len(text.encode().decode("latin-1").split()) == 1 and not set("\"'\\") & set(text)
    ),
    KeysLine: lambda text: len(re.split(r"[\n\r\0]", text)) == 1 and text[:1].isalpha(),
    MachinesLine: lambda text: len(re.split(r"[\s;#,]", text)) == 1,
    NetworkLine: lambda text: len(text.split()) == 1,
    SysctlLine: lambda text: not re.search(r"[\n\r\0]", text) and text == text.strip(" \t"),
    TmpfilesLine: _one_rule_field,
    UnitLine: _one_unit_line,
}


@pytest.mark.parametrize("base", _LAWS, ids=lambda base: base.__name__)
@given(text=_CASES)
@example(text="fe80::1%a\nb")
@example(text="x=à")
@example(text="/a\\")
def test_a_text_is_refused_or_is_one_value_of_its_format(base: type[Line], text: str) -> None:
    for kind in _types(base):
        try:
            written = kind(text)
        except UnprintableError:
            continue
        if kind is EnvironmentValue:
            written = lines.UnitLine.constant(json.dumps(written))
        # a host key is written in base64
        if kind.__name__ != "HostKey":
            assert _LAWS[base](written), f"{kind.__name__}: {text!r} → {written!r}"


def _value(written: str) -> str:
    (line,) = logical_lines(f"X={written}\n")
    return without_specifiers(line.removeprefix("X=").strip(" \t"))


def _word(written: str) -> str:
    (word,) = split(written)
    return word


def _path_word(written: str) -> str:
    (word,) = split(written, variables=False)
    return word


def _variable(written: str) -> str:
    (word,) = split(json.dumps(f"A={written}"), variables=False)
    return word.removeprefix("A=")


#: Type → what its reader makes of it.
_READERS: dict[type[Line], Callable[[str], str]] = {
    lines.UnitText: _value,
    lines.UnitPath: _value,
    lines.CredentialPath: _value,
    lines.ExecWord: _word,
    lines.PathWord: _path_word,
    lines.EnvironmentValue: _variable,
    disk.TmpfilesPath: _path_word,
    disk.TmpfilesArgument: without_specifiers,
    disk.TmpfilesContent: lambda written: unescaped(without_specifiers(written)),
}


@pytest.mark.parametrize("kind", _READERS, ids=lambda kind: kind.__name__)
@given(text=_CASES)
def test_a_text_that_is_accepted_reads_back(kind: type[Line], text: str) -> None:
    assume(not any(kind.check(text)))
    assert _READERS[kind](kind(text)) == text


def test_each_type_with_an_escape_has_a_reader() -> None:
    with_escape = {kind for kind in _types(Line) if kind.escape is not None}
    # a piece is read within its word; names have nothing to escape
    names = {kind for kind in with_escape if kind(_example(kind)) == _example(kind)}
    assert with_escape - names - set(_READERS) - {ExecPiece} == set()


def _example(kind: type[Line]) -> str:
    """A text with what the formats escape, when the type takes it; otherwise a word that it takes."""
    for text in ("a % b", "/a % b", "a", "CAP_A", "AF_A", "a-b", "/a"):
        if not any(kind.check(text)):
            return text
    raise AssertionError(kind)
