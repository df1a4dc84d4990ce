"""The paths and variables in a Nix file. Text that only looks like a path does not count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.driver.evaluate.mentions import find_mentions


def mentioned(text: str, field: str = "paths") -> set[str]:
    return set(getattr(find_mentions(text.encode()), field))


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("import ./a.nix", {"./a.nix"}),
        ("[ ../b/c ./. /etc/x ~/y foo/bar ]", {"../b/c", "./.", "/etc/x", "~/y", "foo/bar"}),
        ("./a + ./b", {"./a", "./b"}),
        ("(./a)", {"./a"}),
        ("{x=./a;}", {"./a"}),
        ("# ./no\n./yes # ./no", {"./yes"}),
        ("/* ./no\n ./no */ ./yes", {"./yes"}),
        ("/* ./no", set()),
        ('"./no"', set()),
        ('"a ${./yes} b ${ { x = "${./deep}"; }.x } ./no"', {"./yes", "./deep"}),
        (r'"\${./no} \" ./no"', set()),
        ('"$${./no}"', set()),
        ("'' ./no ''${./no} ${./yes} ''' ./no '' + ./after", {"./yes", "./after"}),
        ("''$${./no} ''' '' + ./after", {"./after"}),
        (r"'' ''\n ${./yes}''", {"./yes"}),
        ("a//b", set()),
        ("{ } // import ./a", {"./a"}),
        ("x / y", set()),
        ("https://example.org/a/b", set()),
        ("x: ./a", {"./a"}),
        ("<nix/fetchurl.nix>", set()),
        ("a <b && c> d/e", {"d/e"}),
        ("foo'/bar", {"/bar"}),  # an identifier, and a path behind it
        ('{ a = "x"; b = "/y"; }./c', {"./c"}),
    ],
)
def test_paths_in_code_are_found(text: str, paths: set[str]) -> None:
    assert mentioned(text) == paths
    # the same where every word is looked at
    assert mentioned(text + " builtins") == paths


def test_paths_with_an_interpolation_are_prefixes() -> None:
    text = "[ ./a/${x}/b.nix ./${y} ../c-${z} /abs/${w} ] ./d"
    assert mentioned(text, "prefixes") == {"./a", ".", "..", "/abs"}
    assert mentioned(text) == {"./d"}


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ('"/etc/x"', {"/etc/x"}),
        ("''/etc/x''", {"/etc/x"}),
        ('"/a b/c"', {"/a b/c"}),
        ('"d /etc 0755" "x/y" "/" "//x" "${x}/etc" "/etc/${x}" "https:/x"', set()),
    ],
)
def test_strings_that_are_absolute_paths_are_found(text: str, strings: set[str]) -> None:
    assert mentioned(text, "strings") == strings


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("builtins.currentTime", "asks what time it is (currentTime)"),
        ("__currentTime", "asks what time it is (currentTime)"),
        ("with builtins; currentTime", "asks what time it is (currentTime)"),
        ("<nixpkgs>", "looks up <nixpkgs> in the search path NIX_PATH"),
        ("<nixpkgs/lib>", "looks up <nixpkgs/lib> in the search path NIX_PATH"),
        ("builtins.nixPath", "reads the search path NIX_PATH (nixPath)"),
        ("builtins.getEnv name", "reads an environment variable whose name it computes"),
        ('builtins.getFlake "x"', "reads a flake (getFlake)"),
        ("fetchTarball url", "fetches without a hash (fetchTarball)"),
        ('fetchTarball { url = "x"; }', "fetches without a hash (fetchTarball)"),
        ('builtins.fetchGit { url = "x"; ref = "main"; }', "fetches without a hash (fetchGit)"),
        ('builtins.fetchurl "x"', "fetches without a hash (fetchurl)"),
        ("inherit (builtins) fetchurl; fetchurl x", "fetches without a hash (fetchurl)"),
        ('builtins.exec [ "date" ]', "runs programs (exec)"),
    ],
)
def test_an_unrepeatable_expression_is_a_doubt(text: str, doubt: str) -> None:
    doubts = find_mentions(b"{\n" + text.encode()).doubts
    assert doubt in [clause for _, clause in doubts]
    assert {line for line, _ in doubts} == {2}


@pytest.mark.parametrize(
    "text",
    [
        "builtins.currentSystem",
        '"${builtins.readFile ./x}"',
        'pkgs.fetchurl { url = "x"; }',
        'fetchurl { url = "x"; hash = "y"; }',
        'fetchTarball { url = "x"; sha256 = "y"; }',
        f'builtins.fetchGit {{ url = "x"; rev = "{"0" * 40}"; }}',
        '"<nixpkgs> builtins.currentTime"',
        "# <nixpkgs>",
        "a < b > c",
        "script.exec",
    ],
)
def test_a_repeatable_expression_is_no_doubt(text: str) -> None:
    assert find_mentions(text.encode()).doubts == []


def test_environment_variables_are_found() -> None:
    assert mentioned('builtins.getEnv "HOME" + (getEnv ( "USER" ))', "variables") == {
        "HOME",
        "USER",
    }


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("builtins.readDir x", True),
        ("builtins.path { }", True),
        ("filterSource f x", True),
        ("systemd.services.a.path = [ ]", False),
    ],
)
def test_reading_folders_is_noticed(text: str, reads: bool) -> None:  # noqa: FBT001
    assert find_mentions(text.encode()).reads_folders is reads


_PIECES = st.sampled_from(
    ['"', "''", "${", "}", "{", "\\", "$", "'", "#", "/*", "*/", "\n", " ", "./a", "a/b", "/", "~", "<x>", "<", "b", "getEnv"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_both_ways_through_any_text_give_the_same_mentions(text: str) -> None:
    plain = text.replace("getEnv", "x")
    quick, slow = find_mentions(plain.encode()), find_mentions((plain + "\n# builtins").encode())
    assert (quick.paths, quick.prefixes, quick.strings) == (slow.paths, slow.prefixes, slow.strings)
    find_mentions(text.encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    find_mentions(data)


def test_a_program_that_a_string_names_is_not_read_as_nix() -> None:
    found = find_mentions(b"\x7fELF\x02\x01\x01\0 std::vector<T> ./lib builtins.currentTime")
    assert found.doubts == []
    assert found.paths == set()
