"""JSON with its text: the lines of values, and edits that keep the rest of the text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixgen.documents.jsontext import JsonPath, JsonText, path_text

TEXT = """{
  "a": { "b" : [1, {"c": "x"}],
         "a b": null },

  "\\u00e9": "\\"}{"
}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a",), 2),
        (("a", "b", 1, "c"), 2),
        (("a", "a b"), 3),
        (("é",), 5),
        (("a", "missing"), 2),
        (("none", "at", "all"), 1),
    ],
)
def test_every_value_has_a_line(path: JsonPath, line: int) -> None:
    assert JsonText.parse(TEXT).line(path) == line


def test_paths_are_written_as_people_write_them() -> None:
    assert (
        path_text(("inputs", "a-b", "list", 0, "a b", 'x"')) == 'inputs.a-b.list[0]["a b"]["x\\""]'
    )
    assert path_text(()) == ""


def test_a_repeated_member_is_recorded() -> None:
    text = JsonText.parse('{"a": {"b": 1, "d": 1}, "c": 0,\n "a": {"b": 2}}')
    assert text.repeated == (("a",),)
    assert text.line(("a", "d")) == 2
    assert text.line(("a",)) == 2


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a"}', "nul", "[" * 100_000])
def test_a_text_that_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        JsonText.parse(text)


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ('{"a": 1, "b":2}', ("b",), 3, '{"a": 1, "b":3}'),
        ('{ "a":  "x"  }', ("a",), 'y"', '{ "a":  "y\\""  }'),
        ('{"a": 1}', ("b",), 2, '{"a": 1, "b": 2}'),
        ('{ "a": 1 }', ("b",), 2, '{ "a": 1, "b": 2 }'),
        ('{\n    "a": [\n 1 ]\n}\n', ("b",), "é", '{\n    "a": [\n 1 ],\n    "b": "é"\n}\n'),
        ('{"x": {\n\t"a": 1\n}}', ("x", "b"), 2, '{"x": {\n\t"a": 1,\n\t"b": 2\n}}'),
    ],
)
def test_an_edit_changes_nothing_else(before: str, path: JsonPath, value: Any, after: str) -> None:
    assert JsonText.parse(before).replaced(path, value).text == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ('{"a": 1, "b": 2}', ("a",), '{"b": 2}'),
        ('{"a": 1, "b": 2}', ("b",), '{"a": 1}'),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', ("b",), '{\n  "a": 1,\n  "c": 3\n}'),
        ('{\n  "a": 1,\n  "c": [3]\n}', ("c",), '{\n  "a": 1\n}'),
        ('{"a": 1}', ("b",), '{"a": 1}'),
    ],
)
def test_a_member_is_removed_with_its_comma(before: str, path: JsonPath, after: str) -> None:
    assert JsonText.parse(before).without(path).text == after


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _members(value: Any, path: JsonPath = ()) -> list[JsonPath]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(found for key, item in items for found in _members(item, (*path, key)))]


@given(JSON, st.data(), st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_an_edit_of_the_text_is_the_edit_of_the_document(
    document: Any, data: st.DataObject, indent: Any, ascii_only: Any
) -> None:
    text = JsonText.parse(json.dumps(document, indent=indent, ensure_ascii=ascii_only))
    path = data.draw(st.sampled_from(_members(document)))
    after = text.replaced(path, "new").document
    assert text.document == document
    around = place = [document]
    for key in (keys := (0, *path))[:-1]:
        place = place[key]
    place[keys[-1]] = "new"
    assert [after] == around
