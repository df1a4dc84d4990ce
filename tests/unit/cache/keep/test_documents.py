"""The documents below ``nixgen/`` in a cache: their bytes, and what is refused when they are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from nixgen.cache.bucket.bucket import ObjectInfo
from nixgen.cache.keep.batch import SWEEP_FORMAT, SweepBatch
from nixgen.cache.keep.leases import LeaseRecord
from nixgen.cache.keep.roots import PIN_FORMAT, ROOT_FORMAT, Pin, Root
from nixgen.cache.keep.tombstones import read_tombstones
from nixgen.errors import VerifyError

NOW = datetime(2026, 11, 23, 20, 30, tzinfo=UTC)
PATH = f"/nix/store/{'a' * 32}-a"
ROOT = Root(generation="1", created=NOW, project="p", targets={"x": {"out": PATH}})
PIN = Pin(name="release-1", created=NOW, paths=[PATH])
BATCH = SweepBatch(owner="o", holder="h:1", started=NOW, seconds=120.0, paths=["b", "a"])
LEASE = {
    "schema": "nixgen/cache-lease/1",
    "id": "1",
    "created": "2026-11-23T20:30:00Z",
    "expires": "2026-11-23T20:40:00Z",
    "seconds": 600.0,
    "holder": "h:1",
    "paths": {"a" * 32: "1" * 52},
}
TOMBSTONES = {
    "schema": "nixgen/cache-tombstone/1",
    "created": "2026-11-23T20:30:00Z",
    "objects": {"2026-11-22T20:30:00Z": ["x.narinfo"]},
}


class OneObject:
    """A cache that holds one document of tombstones."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def names(self, _prefix: str) -> list[str]:
        return ["nixgen/tombstones/0000000001.json"]

    def read(self, _name: str) -> bytes:
        return self.data


def parse_lease(data: bytes, *, source: str) -> LeaseRecord:
    return LeaseRecord.parse(data, ObjectInfo(name=source, size=1, modified=NOW, etag="1"))


def parse_tombstones(data: bytes, *, source: str) -> dict[str, datetime]:
    assert source
    return read_tombstones(OneObject(data))  # type: ignore[arg-type]


READERS = {
    "root": (ROOT_FORMAT.parse, ROOT_FORMAT.document(ROOT)),
    "pin": (PIN_FORMAT.parse, PIN_FORMAT.document(PIN)),
    "sweep": (SWEEP_FORMAT.parse, SWEEP_FORMAT.document(BATCH)),
    "lease": (parse_lease, LEASE),
    "tombstones": (parse_tombstones, TOMBSTONES),
}


def test_a_root_is_written_with_sorted_members_one_space_deep() -> None:
    text = ROOT_FORMAT.encode(evolve(ROOT, commit="c0ffee")).decode()
    assert text == (
        '{\n "commit": "c0ffee",\n "created": "2026-11-23T20:30:00Z",\n "environment": "default",\n'
        ' "generation": "1",\n "project": "p",\n "schema": "nixgen/cache-root/1",\n'
        f' "targets": {{\n  "x": {{\n   "out": "{PATH}"\n  }}\n }}\n}}\n'
    )


def test_a_pin_and_a_batch_list_their_paths_sorted() -> None:
    assert json.loads(PIN_FORMAT.encode(PIN)) == {
        "schema": "nixgen/cache-pin/1",
        "name": "release-1",
        "created": "2026-11-23T20:30:00Z",
        "note": "",
        "paths": [PATH],
    }
    assert json.loads(SWEEP_FORMAT.encode(BATCH)) == {
        "schema": "nixgen/cache-sweep/1",
        "owner": "o",
        "holder": "h:1",
        "started": "2026-11-23T20:30:00Z",
        "number": 0,
        "seconds": 120.0,
        "paths": ["a", "b"],
        "nars": [],
    }


def test_documents_read_back() -> None:
    assert ROOT_FORMAT.parse(ROOT_FORMAT.encode(ROOT), source="x") == ROOT
    assert PIN_FORMAT.parse(PIN_FORMAT.encode(PIN), source="x") == PIN
    assert SWEEP_FORMAT.parse(SWEEP_FORMAT.encode(BATCH), source="x") == BATCH


def test_a_lease_holds_from_the_time_of_its_object() -> None:
    lease = parse_lease(json.dumps(LEASE).encode(), source="nixgen/leases/1.json")
    assert (lease.holder, lease.paths) == ("h:1", {"a" * 32: "1" * 52})
    assert lease.expires == NOW + timedelta(seconds=601)


def test_tombstones_give_each_object_its_time() -> None:
    found = parse_tombstones(json.dumps(TOMBSTONES).encode(), source="x")
    assert found == {"x.narinfo": NOW - timedelta(days=1)}


@pytest.mark.parametrize("kind", READERS)
def test_members_of_a_later_version_are_ignored(kind: str) -> None:
    read, document = READERS[kind]
    later = json.dumps({**document, "later": 1}).encode()
    assert read(later, source="x") == read(json.dumps(document).encode(), source="x")


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", b'{"schema": "nixgen/other/1"}'])
def test_other_bytes_are_no_document(kind: str, data: bytes) -> None:
    with pytest.raises(VerifyError):
        READERS[kind][0](data, source="x")


@pytest.mark.parametrize(
    ("kind", "change", "place"),
    [
        ("root", {"created": "yesterday"}, r"\$\.created: expected a time such as"),
        ("root", {"targets": {"x": [PATH]}}, r"\$\.targets\.x: expected an object"),
        ("root", {"generation": 1}, r"\$\.generation: expected a string"),
        ("pin", {"name": "../x"}, r"\$\.name: expected the name of a pin"),
        ("pin", {"paths": PATH}, r"\$\.paths: expected an array"),
        ("sweep", {"seconds": "long"}, r"\$\.seconds: expected a number"),
        ("lease", {"paths": {"a": 1}}, r"\$\.paths\.a: expected a string"),
        ("tombstones", {"objects": {"today": []}}, r"\$\.objects: expected names by time"),
    ],
)
def test_a_wrong_member_is_named(kind: str, change: dict[str, object], place: str) -> None:
    read, document = READERS[kind]
    with pytest.raises(VerifyError, match=place):
        read(json.dumps({**document, **change}).encode(), source="x")
