"""The text of manifests: every parser reads the values that were written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nixgen.kubernetes.manifest import to_json, to_yaml

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TRAPS = [
    "yes", "No", "on", "OFF", "y", "N", "true", "False", "null", "NULL", "~", "",
    "1e3", "1E3", "1.", ".5", "0x1F", "0o17", "017", "08", "1_000", "+1", "-1", "12:30", "1:2:3", "0b1",
    ".inf", "-.INF", ".nan", "2026-01-01", "2026-01-01T00:00:00Z", "<<", "=", "!x", "&a", "*a", "%a", "@a", "`a", "- a", "? a",
    "a: b", "a:", "a #b", "#a", " a", "a ", "{a}", "[a]", "a,b", "'a'", '"a"', "|", ">", "---", "...", "a\tb", "\t", "a\n",
    "a\nb", "\na", "a\n\n", " a\nb", "a \nb", "a\r\nb", "\u2028", "\x85", "\ufeffa", "\x7f", "é", "😀", "a" * 200,
]  # fmt: skip

# What Go's parser (gopkg.in/yaml.v3, resolve.go) takes for something else than text when it is not quoted, beside what
# Python's does.
GO_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+|[-+]?[0-9_]+"
)
GO_WORDS = {"y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "~", "null"}  # fmt: skip


@pytest.mark.parametrize("value", TRAPS)
def test_text_that_looks_like_another_type_stays_text(value: str) -> None:
    resource = {"key": value, value: "key", "list": [value, {"in": value}]}
    assert list(yaml.safe_load_all(to_yaml([resource]))) == [resource]
    written = to_yaml([{"key": value}]).removeprefix("---\n").removeprefix("key: ").rstrip("\n")
    assert not GO_NUMBER.fullmatch(written)
    assert written not in GO_WORDS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.sampled_from(TRAPS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT | st.sampled_from(TRAPS), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(TEXT, VALUES, min_size=1, max_size=3), max_size=3))
def test_yaml_reads_back(resources: list[dict[str, Any]]) -> None:
    assert list(yaml.safe_load_all(to_yaml(resources))) == resources


@given(st.lists(st.dictionaries(TEXT, VALUES, min_size=1, max_size=3), max_size=3))
def test_json_reads_back(resources: list[dict[str, Any]]) -> None:
    assert json.loads(to_json(resources)) == {"apiVersion": "v1", "kind": "List", "items": resources}  # fmt: skip


def test_yaml_is_written_as_people_write_it() -> None:
    resource = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": {"app.kubernetes.io/name": "api"}, "name": "api"},
        "data": {
            "image": "registry.example.org:5000/team/api:1.2",
            "description": "Knative's helloworld-nodejs (a sample)",
            "port": "8080",
            "on": "yes",
            "script": 'echo "a"\n  b: c\n',
        },
        "list": [1, True, None, {}, []],
    }
    assert (
        to_yaml([resource, {"kind": "x"}])
        == """\
---
apiVersion: v1
kind: ConfigMap
metadata:
  labels:
    app.kubernetes.io/name: api
  name: api
data:
  image: registry.example.org:5000/team/api:1.2
  description: Knative's helloworld-nodejs (a sample)
  port: "8080"
  "on": "yes"
  script: |
    echo "a"
      b: c
list:
- 1
- true
- null
- {}
- []
---
kind: x
"""
    )


def test_values_that_are_one_object_are_written_twice() -> None:
    labels = {"a": "b"}
    assert "&" not in to_yaml([{"x": labels, "y": labels}])
