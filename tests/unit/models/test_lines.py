"""Types of text in line formats: one check and one escape each, and no way around them."""

from __future__ import annotations

import pytest

from nixgen.errors import UnprintableError
from nixgen.models import Machine, Project, check
from nixgen.models.disk import TmpfilesArgument, TmpfilesContent, TmpfilesPath
from nixgen.models.lines import (
    AccountPath,
    AccountText,
    CredentialPath,
    EnvironmentValue,
    ExecWord,
    KeyFile,
    Line,
    PathWord,
    UnitLine,
    UnitName,
    UnitPath,
    UnitText,
)


@pytest.mark.parametrize(
    ("kind", "text", "written"),
    [
        (UnitText, "50% of $x", "50%% of $x"),
        (UnitPath, "/srv/%n", "/srv/%%n"),
        (PathWord, '/srv/a "b"', '"/srv/a \\"b\\""'),
        (ExecWord, "", '""'),
        (ExecWord, "a;b%n$x\n", '"a;b%%n$$x\\n"'),
        (EnvironmentValue, "a\nb%", "a\nb%%"),
        (AccountText, "Ann, %n $x", "Ann, %n $x"),
        (TmpfilesPath, "/srv/a b\\", '"/srv/a b\\\\"'),
        (TmpfilesArgument, "%a\\", "%%a\\"),
        (TmpfilesContent, " a\\b ", "\\x20a\\\\b\\x20"),
        (TmpfilesContent, "-", "\\x2d"),
    ],
)
def test_a_text_is_written_as_its_format_reads_it(
    kind: type[Line], text: str, written: str
) -> None:
    assert kind(text) == written


@pytest.mark.parametrize(
    ("kind", "text", "named"),
    [
        (UnitText, "a\nb", r"'\n'"),
        (UnitText, "a\\", r"'\\'"),
        (UnitPath, "/a\rb", r"'\r'"),
        (UnitPath, "/a/../b", "'..'"),
        (CredentialPath, "/a:b", "':'"),
        (CredentialPath, "/a/..", "'..'"),
        (PathWord, "-/a/../b", "'..'"),
        (AccountText, "x:0:0", "':'"),
        (AccountPath, "/home/\x1b", r"'\x1b'"),
        (TmpfilesPath, "/srv/../etc", "'..'"),
        (UnitName, "a b", "'a b'"),
        # ssh expands both in the path of a key
        (KeyFile, "/etc/%u", "'/etc/%u'"),
        (KeyFile, "/etc/${HOME}", "'/etc/${HOME}'"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_its_character(
    kind: type[Line], text: str, named: str
) -> None:
    ((_, message, _),) = kind.check(text)
    assert named in message
    with pytest.raises(UnprintableError) as caught:
        kind(text)
    assert caught.value.message == f"{text!r} {message}"


def test_a_line_is_not_escaped_twice() -> None:
    with pytest.raises(TypeError, match="takes a str"):
        UnitText(UnitText("50%"))


def test_what_is_made_of_a_line_is_no_line() -> None:
    text = UnitText("a")
    made = (text + "\n", f"{text}", text.upper(), text[:1], str(text))
    assert not any(isinstance(each, Line) for each in made)


def test_only_lines_of_the_same_format_are_joined() -> None:
    joined = UnitLine.joined(":", UnitName("a"), CredentialPath("/b%"))
    assert joined == "a:/b%%"
    assert type(joined) is UnitLine
    with pytest.raises(TypeError, match="of type AccountText, not UnitLine"):
        UnitLine.joined(":", UnitName("a"), AccountText("b"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="of type str, not UnitLine"):
        UnitLine.joined(":", UnitName("a"), "b")  # type: ignore[arg-type]


def test_a_name_that_is_no_line_is_quoted_in_the_path_of_its_fault() -> None:
    problems = check(Project("p", machines=[Machine("a\n::error::b\x1b", memory=1)]))
    name = repr("a\n::error::b\x1b")
    assert [problem.path for problem in problems] == [
        f"machines[{name}].name",
        f"machines[{name}].memory",
    ]
