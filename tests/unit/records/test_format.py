"""Documents as classes: types are checked, each fault has its place, and documents are read back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from nixgen.errors import InputError
from nixgen.records.document import document, parse_object, to_text
from nixgen.records.format import Format
from nixgen.records.rules import ABSENT, Text, at_least, between, matching, named
from nixgen.records.structure import Faults, parse_as, place_text, value_of


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@frozen(kw_only=True)
class Part:
    part_name: Text
    size: Annotated[int, at_least(1, "a size")]
    kind: Literal["file", "folder", 3] = "file"


@frozen(kw_only=True)
class Whole:
    title: Annotated[str, matching(r"[a-z]+", "a word")]
    parts: tuple[Part, ...] = ()
    by_name: Mapping[str, Part] = field(factory=dict)
    colour: Colour | None = None
    ratio: float = 0.5
    done: bool = False
    where: Path | None = None
    since: datetime | None = None
    free: Any = None
    nested: Mapping[str, tuple[Annotated[int, between(1, 9)], ...]] = field(factory=dict)
    odd_name: int = field(default=0, metadata=named("odd_name"))
    number: int = field(default=7, metadata=ABSENT)


def check(whole: Whole) -> Iterator[tuple[str, str]]:
    if whole.done and not whole.parts:
        yield "$.done", "nothing is done without parts"


WHOLE = Format(
    schema="nixgen/whole/1", shape=Whole, error=InputError, hint="write it again", check=check
)


def parse(**members: Any) -> Whole:
    return WHOLE.parse(json.dumps(document("nixgen/whole/1", **members)), source="whole.json")


def fault(**members: Any) -> str:
    with pytest.raises(InputError) as caught:
        parse(**members)
    assert caught.value.hint == "write it again"
    return caught.value.message.removeprefix("whole.json: ")


PARTS = st.builds(
    Part,
    part_name=st.text(min_size=1),
    size=st.integers(min_value=1),
    kind=st.sampled_from(["file", "folder", 3]),
)
WHOLES = st.builds(
    Whole,
    title=st.text("abc", min_size=1),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    by_name=st.dictionaries(st.text(), PARTS, max_size=3),
    colour=st.sampled_from([*Colour, None]),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    where=st.sampled_from([None, Path("/nix/store"), Path("a b")]),
    since=st.sampled_from([None, datetime(2026, 11, 23, 20, 30, tzinfo=UTC)]),
    free=st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x, max_size=2)),
    nested=st.dictionaries(
        st.text(), st.lists(st.integers(1, 9), max_size=3).map(tuple), max_size=2
    ),
    odd_name=st.integers(),
)


@given(WHOLES)
def test_a_written_document_is_read_back(whole: Whole) -> None:
    text = WHOLE.text(whole)
    assert WHOLE.parse(text, source="x") == whole
    assert WHOLE.text(WHOLE.parse(text, source="x")) == text
    assert json.loads(text)["schema"] == "nixgen/whole/1"
    assert "number" not in json.loads(text)


def test_members_are_in_camel_case_and_may_have_their_own_name() -> None:
    whole = parse(title="a", byName={"x": {"partName": "p", "size": 1}}, odd_name=4)
    assert whole.by_name["x"].part_name == "p"
    assert (whole.odd_name, whole.number) == (4, 7)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "$.title: is missing"),
        ({"title": 5}, "$.title: expected a string, found 5"),
        ({"title": "A"}, '$.title: expected a word, found "A"'),
        ({"titel": "a", "title": "a"}, "$.titel: is not a member that this version"),
        ({"title": "a", "number": 1}, "$.number: is not a member"),
        ({"title": "a", "by_name": {}}, "$.by_name: is not a member"),
        ({"title": "a", "parts": {}}, "$.parts: expected an array, found {}"),
        ({"title": "a", "parts": [3]}, "$.parts[0]: expected an object, found 3"),
        (
            {"title": "a", "parts": [{"partName": "p", "size": True}]},
            "$.parts[0].size: expected a whole number, found true",
        ),
        (
            {"title": "a", "parts": [{"partName": "p", "size": 1.0}]},
            "$.parts[0].size: expected a whole number, found 1.0",
        ),
        (
            {"title": "a", "parts": [{"partName": "p", "size": 0}]},
            "$.parts[0].size: expected a size of at least 1, found 0",
        ),
        (
            {"title": "a", "parts": [{"partName": "p", "size": 1, "kind": True}]},
            '$.parts[0].kind: expected one of "file", "folder", 3, found true',
        ),
        (
            {"title": "a", "byName": {"x y": {"partName": "", "size": 1}}},
            '$.byName["x y"].partName: expected a non-empty string, found ""',
        ),
        ({"title": "a", "byName": []}, "$.byName: expected an object, found []"),
        ({"title": "a", "colour": "green"}, '$.colour: expected one of "red", "blue"'),
        ({"title": "a", "ratio": "0.5"}, "$.ratio: expected a number"),
        ({"title": "a", "ratio": False}, "$.ratio: expected a number"),
        ({"title": "a", "done": 1}, "$.done: expected true or false, found 1"),
        ({"title": "a", "where": 1}, "$.where: expected a path, found 1"),
        (
            {"title": "a", "since": "today"},
            '$.since: expected a time such as 2026-11-23T20:30:00Z, found "today"',
        ),
        ({"title": "a", "nested": {"x": [1, 10]}}, "$.nested.x[1]: expected a whole number from 1"),
        ({"title": "a", "done": True}, "$.done: nothing is done without parts"),
        ({"title": "b" * 100 + "!"}, f'$.title: expected a word, found "{"b" * 59}…'),
    ],
)
def test_a_fault_names_its_place_and_what_was_expected(
    members: dict[str, Any], message: str
) -> None:
    assert fault(**members).startswith(message)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(InputError, match=r"whole\.json .* 4 members are wrong") as caught:
        parse(parts=[{"size": 0}], done=1)
    assert [line.partition(": ")[0] for line in caught.value.details] == [
        "$.title",
        "$.parts[0].partName",
        "$.parts[0].size",
        "$.done",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        (b"\xff", "is not JSON"),
        ("[]", "it is list, not an object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"size": 1' + "0" * 5000 + "}", "a number with too many digits"),
        ("{}", "this nixgen reads 'nixgen/whole/1', found None"),
        ('{"schema": "nixgen/whole/2"}', "found 'nixgen/whole/2'"),
        ('{"schema": ["nixgen/whole/1"]}', "found"),
    ],
)
def test_a_text_that_is_no_such_document_is_refused(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        WHOLE.parse(text, source="whole.json")
    file = tmp_path / "whole.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert WHOLE.find(file) is None


def test_a_deeply_nested_value_is_a_fault() -> None:
    text = '{"schema": "nixgen/whole/1", "title": ' + "[" * 900 + "]" * 900 + "}"
    with pytest.raises(InputError, match=r"\$\.title: expected a string|nested too deeply"):
        WHOLE.parse(text, source="whole.json")


def test_find_returns_none_for_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "whole.json"
    assert WHOLE.find(file) is None
    file.write_text(WHOLE.text(Whole(title="a")))
    assert WHOLE.find(file) == Whole(title="a")
    file.write_text(to_text(document("nixgen/whole/1", title="a", done=True)))
    assert WHOLE.find(file) is None  # the check between members counts, too


def test_the_error_of_an_unreadable_file_has_its_own_hint(tmp_path: Path) -> None:
    kind = Format(schema="x", shape=Part, error=InputError, hint="h", missing_hint="make it")
    with pytest.raises(InputError, match=r"nothing\.json cannot be read: No such file") as caught:
        kind.read(tmp_path / "nothing.json")
    assert caught.value.hint == "make it"


def test_unknown_members_are_accepted_where_a_format_says_so() -> None:
    kind = Format(schema="x", shape=Part, error=InputError, hint="h", ignore_unknown=True)
    part = Part(part_name="p", size=1)
    assert kind.structure({**kind.document(part), "new": 1}, source="x") == part


def test_canonical_text_does_not_depend_on_the_order_of_keys() -> None:
    assert to_text({"b": 1, "a": [2]}) == to_text({"a": [2], "b": 1})
    assert to_text({"b": 1, "a": [2]}, indent=None) == '{"a": [2], "b": 1}\n'
    assert list(document("nixgen/x/1", a=1)) == ["schema", "a"]


def test_an_object_is_read_or_refused() -> None:
    assert parse_object(b'{"a": 1}') == {"a": 1}
    with pytest.raises(ValueError, match="it is str, not an object"):
        parse_object('"a"')


def test_a_type_that_no_document_can_hold_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no document holds"):
        value_of(set[str], [], Faults())


def test_places_are_json_paths() -> None:
    assert place_text(None) == "$"
    assert place_text((((None, "a b"), 0), "c")) == '$["a b"][0].c'


def test_json_of_another_program_may_have_more_members() -> None:
    part = parse_as(Part, b'{"partName": "a", "size": 2, "colour": "red"}')
    assert part == Part(part_name="a", size=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "Expecting value"),
        ("[" * 100_000, "nested too deeply"),
        ('{"size": 1' + "0" * 5000 + "}", "a number with too many digits"),
        ("[1]", r"^\$\[0\]: expected an object, found 1$"),
        ("[1, 2, 3, 4, 5]", r"^\$\[0\]: .*; \$\[1\]: .*; \$\[2\]: .*; and 2 more faults$"),
    ],
)
def test_json_of_another_program_is_checked(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_as(tuple[Part, ...], text)
