"""The values of a test's secrets: chosen for one run, packed for each machine, and hidden in all output."""

from __future__ import annotations

import base64
import io
import json
import shlex
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.errors import InputError
from nixgen.vm.record.journal import Journal
from nixgen.vm.record.mask import MASK, Mask
from nixgen.vm.run.secrets import archive, values_of
from nixgen.vm.spec import NodeSpec, SecretSpec, TestSpec

TOKEN = SecretSpec(name="token", file="/run/secrets/token")
GIVEN = SecretSpec(name="given", file="/etc/keys/given", given=True)
HEX = SecretSpec(name="hex", file="/srv/hex", length=64, alphabet="0123456789abcdef")
VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4
).filter(str.strip)


def node(name: str, *secrets: SecretSpec) -> NodeSpec:
    return NodeSpec(
        name=name, kernel=Path("/k"), initrd=Path("/i"), toplevel="/nix/store/m", secrets=secrets
    )


def spec(*nodes: NodeSpec) -> TestSpec:
    return TestSpec(name="t", system="x86_64-linux", script="", nodes=nodes, closure=())


def test_a_file_has_the_same_value_on_all_machines_and_another_in_each_run() -> None:
    test = spec(node("web", TOKEN, HEX), node("db", TOKEN))
    first, second = values_of(test, {}), values_of(test, {})
    assert first.keys() == {TOKEN.file, HEX.file}
    assert len(first[TOKEN.file]) == 32
    assert first[TOKEN.file].isalnum()
    assert len(first[HEX.file]) == 64
    assert set(first[HEX.file]) <= set("0123456789abcdef")
    assert not set(first.values()) & set(second.values())


def test_a_given_value_is_taken_as_it_is_and_must_be_there() -> None:
    test = spec(node("web", GIVEN))
    assert values_of(test, {GIVEN.file: "x\n"}) == {GIVEN.file: "x\n"}
    with pytest.raises(InputError, match="'given'"):
        values_of(test, {"/another/file": "x"})


def test_an_archive_has_files_that_only_root_can_read() -> None:
    long = SecretSpec(name="long", file="/srv/" + "ü" * 120 + "/../a %/key")
    packed = archive(node("web", TOKEN, long), {TOKEN.file: "ü\n", long.file: "b", HEX.file: "c"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        members = files.getmembers()
        assert [member.name for member in members] == ["run/secrets/token", "srv/a %/key"]
        assert {(member.mode, member.uid, member.gid) for member in members} == {(0o400, 0, 0)}
        contents = [file.read() for member in members if (file := files.extractfile(member))]
    assert contents == ["ü\n".encode(), b"b"]


def test_a_machine_without_secrets_has_no_archive() -> None:
    assert archive(node("web"), {TOKEN.file: "x"}) == b""


@given(VALUES, st.text(max_size=20))
def test_a_value_is_hidden_in_every_form(value: str, around: str) -> None:
    mask = Mask([value])
    forms = (
        value,
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        base64.b64encode(value.encode()).decode(),
        shlex.quote(value)[1:-1] if "'" in value else value,
        *(line for line in value.splitlines() if len(line) >= 4),
    )
    for form in forms:
        assert form in MASK or form not in mask(f"{around}\u2028{form}\u2028{around}")


def test_a_long_run_of_letters_is_hidden_however_the_rest_is_quoted() -> None:
    value = "abcdefgh12345'\"$"
    assert "abcdefgh12345" not in Mask([value])(shlex.quote(repr(shlex.quote(value))))


def test_other_text_stays_as_it_is() -> None:
    assert Mask()("any text") == "any text"
    assert Mask(["another value"])("any text, another") == "any text, another"


def test_of_two_values_the_longer_one_is_hidden_whole() -> None:
    assert Mask(["password", "password-2"])("a password-2 b") == f"a {MASK} b"


def test_the_report_and_the_events_of_a_run_hide_values() -> None:
    events: list[object] = []
    journal = Journal(events.append, Mask(["hunter22"]))
    with journal.step("command", "login hunter22", "web") as step:
        # the value is at the place where a long output is cut
        step.note("x" * 100 + "hunter22" + "y" * 3996)
    journal.log("hunter22")
    journal.console("web", "hunter22 on the console")
    assert "hunter22" not in repr(events)
    assert "er22" not in repr(journal.entries())
    assert [entry.title for entry in journal.entries()] == [f"login {MASK}", MASK]
